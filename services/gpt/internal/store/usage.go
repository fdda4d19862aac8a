package store

import (
	"fmt"
	"strings"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
)

// Query selects settled rows and says how to group them. Zero fields select all.
type Query struct {
	// Owner keeps rows of one owner. Required.
	Owner string
	// GroupBy are the dimensions, each at most once.
	GroupBy []gptv1.UsageDimension
	// UserID, SessionID, Provider and Model keep rows with that value.
	UserID, SessionID, Provider, Model string
	// After keeps rows reserved at or after it, Before those reserved before it.
	After, Before time.Time
	// Offset is how many groups to pass over, Limit the most to return.
	Offset, Limit int
}

// columns of dimensions; day is made by each dialect.
var columns = map[gptv1.UsageDimension]string{
	gptv1.UsageDimension_USAGE_DIMENSION_USER:     "user_id",
	gptv1.UsageDimension_USAGE_DIMENSION_KEY:      "owner",
	gptv1.UsageDimension_USAGE_DIMENSION_SESSION:  "session_id",
	gptv1.UsageDimension_USAGE_DIMENSION_MODEL:    "model",
	gptv1.UsageDimension_USAGE_DIMENSION_PROVIDER: "provider",
	gptv1.UsageDimension_USAGE_DIMENSION_TARGET:   "target",
	gptv1.UsageDimension_USAGE_DIMENSION_ROUTE:    "route",
}

// Dialect is how a database writes what differs.
type Dialect struct {
	// Day is the day of reserve_micros in UTC as text.
	Day string
	// Place is the nth parameter, from 1.
	Place func(n int) string
}

// SQL is the query and its values. Rows come as the group's keys, then what
// ScanGroup takes.
func (q Query) SQL(d Dialect) (query string, args []any) {
	keys := make([]string, 0, len(q.GroupBy)+1)
	for _, dimension := range q.GroupBy {
		if dimension == gptv1.UsageDimension_USAGE_DIMENSION_DAY {
			keys = append(keys, d.Day)
		} else {
			keys = append(keys, columns[dimension])
		}
	}
	where := []string{"state = 2"}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, condition+" "+d.Place(len(args)))
	}
	add("owner =", q.Owner)
	for _, filter := range []struct{ column, value string }{
		{"user_id", q.UserID}, {"session_id", q.SessionID}, {"provider", q.Provider}, {"model", q.Model},
	} {
		if filter.value != "" {
			add(filter.column+" =", filter.value)
		}
	}
	// Ids sort by the time of reservation: their index bounds what is read.
	if !q.After.IsZero() {
		add("id >=", ids.Lowest("att", q.After))
		add("reserve_micros >=", q.After.UnixMicro())
	}
	if !q.Before.IsZero() {
		add("id <", ids.Lowest("att", q.Before.Add(time.Millisecond)))
		add("reserve_micros <", q.Before.UnixMicro())
	}
	group := strings.Join(append(keys, "currency"), ", ")
	args = append(args, q.Limit, q.Offset)
	return "SELECT " + group + `, count(*),
	count(CASE WHEN outcome = 1 THEN 1 END), count(CASE WHEN outcome = 2 THEN 1 END),
	count(CASE WHEN outcome = 3 THEN 1 END), count(CASE WHEN outcome = 4 THEN 1 END),
	CAST(sum(input_tokens) AS BIGINT), CAST(sum(cached_input_tokens) AS BIGINT), CAST(sum(cache_write_tokens) AS BIGINT),
	CAST(sum(output_tokens) AS BIGINT), CAST(sum(reasoning_tokens) AS BIGINT), CAST(sum(cost_nanos) AS BIGINT),
	count(CASE WHEN usage_source = 1 THEN 1 END), count(CASE WHEN usage_source = 2 THEN 1 END),
	count(CASE WHEN usage_source = 3 THEN 1 END)
	FROM attempts WHERE ` + strings.Join(where, " AND ") + " GROUP BY " + group + " ORDER BY " + group +
		fmt.Sprintf(" LIMIT %s OFFSET %s", d.Place(len(args)-1), d.Place(len(args))), args
}

// ScanGroup returns a group with n keys, and the destinations of its row.
func ScanGroup(n int) (*gptv1.UsageGroup, []any) {
	g := &gptv1.UsageGroup{Keys: make([]string, n)}
	to := make([]any, 0, n+15)
	for i := range g.Keys {
		to = append(to, &g.Keys[i])
	}
	return g, append(to, &g.Currency, &g.Attempts, &g.Completed, &g.Failed, &g.Cancelled, &g.Unknown,
		&g.InputTokens, &g.CachedInputTokens, &g.CacheWriteTokens, &g.OutputTokens, &g.ReasoningTokens, &g.CostNanos,
		&g.ByProvider, &g.Estimated, &g.Partial)
}

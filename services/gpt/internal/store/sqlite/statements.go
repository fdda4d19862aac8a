package sqlite

import (
	"slices"
	"strings"
)

// reserveColumns are those of store.ReserveValues and the instance,
// settleColumns those of store.SettleValues.
var (
	reserveColumns = []string{
		"id", "request_id", "response_id", "session_id", "owner", "user_id", "provider", "model", "number",
		"input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "usage_source",
		"cost_nanos", "currency", "price_version", "reserve_micros", "target", "provider_key", "route", "cause", "decision", "instance",
	}
	settleColumns = []string{
		"outcome", "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "usage_source",
		"cost_nanos", "currency", "price_version", "failure", "settle_micros", "queue_micros", "first_token_micros", "total_micros",
		"provider_response_id",
	}
)

var (
	reserveSQL = "INSERT INTO attempts (" + strings.Join(reserveColumns, ", ") + ") VALUES (" + marks(len(reserveColumns)) + ")"
	settleSQL  = "UPDATE attempts SET state = 2, " + strings.Join(settleColumns, " = ?, ") + " = ? WHERE id = ? AND state = 1"

	// A row that is settled before it was inserted is inserted whole: the columns
	// of its settling, and of its reservation those that this leaves as they are.
	kept       = keptColumns()
	settledSQL = "INSERT INTO attempts (state, " + strings.Join(settleColumns, ", ") + ", " + strings.Join(names(kept), ", ") +
		") VALUES (2, " + marks(len(settleColumns)+len(kept)) + ")"
	settleWholeSQL = settledSQL + " ON CONFLICT (id) DO UPDATE SET state = 2" + excluded() + " WHERE attempts.state = 1"
)

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// keptColumns are the places of reserveColumns that settling leaves alone.
func keptColumns() (places []int) {
	for i, name := range reserveColumns {
		if !slices.Contains(settleColumns, name) {
			places = append(places, i)
		}
	}
	return places
}

// excluded sets the columns of settling to those of the row that was to be added.
func excluded() string {
	var out strings.Builder
	for _, name := range settleColumns {
		out.WriteString(", " + name + " = excluded." + name)
	}
	return out.String()
}

func names(places []int) (out []string) {
	for _, i := range places {
		out = append(out, reserveColumns[i])
	}
	return out
}

// settledValues are those of settledSQL.
func settledValues(reserved, settled []any) []any {
	out := append(make([]any, 0, len(settled)+len(kept)), settled...)
	for _, i := range kept {
		out = append(out, reserved[i])
	}
	return out
}

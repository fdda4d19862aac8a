package sqlite

import (
	"strings"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
)

// keptColumns are written when an attempt is reserved and stay, usageColumns are
// written then and when it is settled, settleColumns when it is settled.
var (
	keptColumns = []string{
		"id", "request_id", "response_id", "session_id", "owner", "user_id", "provider", "model", "number",
		"reserve_micros", "target", "provider_key", "route", "cause", "decision", "instance",
	}
	usageColumns = []string{
		"input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "usage_source",
		"cost_nanos", "currency", "price_version",
	}
	settleColumns = append(usageColumns[:len(usageColumns):len(usageColumns)],
		"outcome", "failure", "settle_micros", "queue_micros", "first_token_micros", "total_micros", "provider_response_id")
)

var (
	reserveSQL = "INSERT INTO attempts (" + strings.Join(keptColumns, ", ") + ", " + strings.Join(usageColumns, ", ") +
		") VALUES (" + marks(len(keptColumns)+len(usageColumns)) + ")"
	settleSQL = "UPDATE attempts SET state = 2, " + strings.Join(settleColumns, " = ?, ") + " = ? WHERE id = ? AND state = 1"

	// A row that is settled before it was inserted is inserted whole.
	settledSQL = "INSERT INTO attempts (state, " + strings.Join(keptColumns, ", ") + ", " + strings.Join(settleColumns, ", ") +
		") VALUES (2, " + marks(len(keptColumns)+len(settleColumns)) + ")"
	settleWholeSQL = settledSQL + " ON CONFLICT (id) DO UPDATE SET state = 2" + excluded() + " WHERE attempts.state = 1"
)

// Room for the values of columns, but for their texts.
const (
	keptRoom   = 13*2 + 10 + 2*4
	usageRoom  = 9 * 5
	settleRoom = usageRoom + 7*6
)

// keptValues are those of keptColumns.
func keptValues(a *gptv1.Attempt, instance string) sqlite.Values {
	v := sqlite.NewValues(keptRoom + len(a.GetId()) + len(a.GetRequestId()) + len(a.GetResponseId()) + len(a.GetSessionId()) +
		len(a.GetOwner()) + len(a.GetUserId()) + len(a.GetProvider()) + len(a.GetModel()) +
		len(a.GetTarget()) + len(a.GetProviderKey()) + len(a.GetRoute()) + len(a.GetDecision()) + len(instance))
	v.Text(a.GetId())
	v.Text(a.GetRequestId())
	v.Text(a.GetResponseId())
	v.Text(a.GetSessionId())
	v.Text(a.GetOwner())
	v.Text(a.GetUserId())
	v.Text(a.GetProvider())
	v.Text(a.GetModel())
	v.Int(int64(a.GetNumber()))
	v.Int(store.Micros(a.GetReserveTime()))
	v.Text(a.GetTarget())
	v.Text(a.GetProviderKey())
	v.Text(a.GetRoute())
	v.Int(int64(a.GetCause()))
	v.Text(a.GetDecision())
	v.Text(instance)
	return v
}

// addUsage adds those of usageColumns.
func addUsage(v *sqlite.Values, a *gptv1.Attempt) {
	u := a.GetUsage()
	v.Int(u.GetInputTokens())
	v.Int(u.GetOutputTokens())
	v.Int(u.GetCachedInputTokens())
	v.Int(u.GetCacheWriteTokens())
	v.Int(u.GetReasoningTokens())
	v.Int(int64(u.GetSource()))
	v.Int(a.GetCostNanos())
	v.Text(a.GetCurrency())
	v.Text(a.GetPriceVersion())
}

// addSettled adds those of settleColumns.
func addSettled(v *sqlite.Values, a *gptv1.Attempt, failure []byte) {
	addUsage(v, a)
	v.Int(int64(a.GetOutcome()))
	v.Blob(failure)
	v.Int(store.Micros(a.GetSettleTime()))
	v.Int(a.GetQueueMicros())
	v.Int(a.GetFirstTokenMicros())
	v.Int(a.GetTotalMicros())
	v.Text(a.GetProviderResponseId())
}

func settledRoom(a *gptv1.Attempt, failure []byte) int {
	return settleRoom + len(failure) + len(a.GetCurrency()) + len(a.GetPriceVersion()) + len(a.GetProviderResponseId())
}

// reserved inserts a row that is reserved.
func reserved(kept sqlite.Values, a *gptv1.Attempt) sqlite.Stmt {
	v := kept.Begin(usageRoom + len(a.GetCurrency()) + len(a.GetPriceVersion()))
	addUsage(&v, a)
	return sqlite.Stmt{Query: reserveSQL, Values: v, Row: true}
}

// settled settles a row that is there.
func settled(a *gptv1.Attempt, failure []byte) sqlite.Stmt {
	v := sqlite.NewValues(settledRoom(a, failure) + 2 + len(a.GetId()))
	addSettled(&v, a, failure)
	v.Text(a.GetId())
	return sqlite.Stmt{Query: settleSQL, Values: v}
}

// whole inserts a row as it is in the end, by settledSQL or settleWholeSQL, which
// inserts it or settles the one that is there.
func whole(query string, kept sqlite.Values, a *gptv1.Attempt, failure []byte) sqlite.Stmt {
	v := kept.Begin(settledRoom(a, failure))
	addSettled(&v, a, failure)
	return sqlite.Stmt{Query: query, Values: v, Row: query == settledSQL}
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// excluded sets the columns of settling to those of the row that was to be added.
func excluded() string {
	var out strings.Builder
	for _, name := range settleColumns {
		out.WriteString(", " + name + " = excluded." + name)
	}
	return out.String()
}

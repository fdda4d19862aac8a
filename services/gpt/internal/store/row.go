package store

import (
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Columns are the columns of a row in the order of Row.Scan, for a select.
const Columns = `id, request_id, response_id, session_id, owner, user_id, provider, model, number, state, outcome,
	input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_source,
	cost_nanos, currency, price_version, failure, reserve_micros, settle_micros, queue_micros, first_token_micros, total_micros,
	target, provider_key, route, cause, decision, provider_response_id`

// Row reads and writes one attempt as columns. Times are microseconds since
// 1970, 0 for none.
type Row struct {
	attempt                      gptv1.Attempt
	usage                        conversationv1.Usage
	state, outcome, source       int32
	cause                        int32
	failure                      []byte
	reserveMicros, settledMicros int64
}

// Scan returns the destinations of Columns.
func (r *Row) Scan() []any {
	a, u := &r.attempt, &r.usage
	return []any{
		&a.Id, &a.RequestId, &a.ResponseId, &a.SessionId, &a.Owner, &a.UserId, &a.Provider, &a.Model, &a.Number, &r.state, &r.outcome,
		&u.InputTokens, &u.OutputTokens, &u.CachedInputTokens, &u.CacheWriteTokens, &u.ReasoningTokens, &r.source,
		&a.CostNanos, &a.Currency, &a.PriceVersion, &r.failure, &r.reserveMicros, &r.settledMicros,
		&a.QueueMicros, &a.FirstTokenMicros, &a.TotalMicros,
		&a.Target, &a.ProviderKey, &a.Route, &r.cause, &a.Decision, &a.ProviderResponseId,
	}
}

// Attempt returns what was scanned. The row must not be used again.
func (r *Row) Attempt() (*gptv1.Attempt, error) {
	a := &r.attempt
	a.State, a.Outcome = gptv1.Attempt_State(r.state), gptv1.Attempt_Outcome(r.outcome)
	a.Cause = gptv1.Attempt_Cause(r.cause)
	a.Usage = &r.usage
	a.Usage.Source = conversationv1.UsageSource(r.source)
	a.ReserveTime, a.SettleTime = fromMicros(r.reserveMicros), fromMicros(r.settledMicros)
	if len(r.failure) > 0 {
		a.Failure = &conversationv1.Failure{}
		if err := proto.Unmarshal(r.failure, a.Failure); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// ReserveValues are the values of a new row in the order of Columns, up to and
// with reserve_micros, without state, outcome and failure; then those from target
// to decision.
func ReserveValues(a *gptv1.Attempt) []any {
	u := a.GetUsage()
	return append(make([]any, 0, 25), // and the instance
		a.GetId(), a.GetRequestId(), a.GetResponseId(), a.GetSessionId(), a.GetOwner(), a.GetUserId(),
		a.GetProvider(), a.GetModel(), a.GetNumber(),
		u.GetInputTokens(), u.GetOutputTokens(), u.GetCachedInputTokens(), u.GetCacheWriteTokens(), u.GetReasoningTokens(), int32(u.GetSource()),
		a.GetCostNanos(), a.GetCurrency(), a.GetPriceVersion(), Micros(a.GetReserveTime()),
		a.GetTarget(), a.GetProviderKey(), a.GetRoute(), int32(a.GetCause()), a.GetDecision(),
	)
}

// SettleValues are the values that Settle writes: outcome, the six of usage,
// cost, currency, price version, failure, settle time, the three durations and
// the provider's id.
func SettleValues(a *gptv1.Attempt) ([]any, error) {
	failure, err := Failure(a)
	if err != nil {
		return nil, err
	}
	u := a.GetUsage()
	return append(make([]any, 0, 17), // and the id
		int32(a.GetOutcome()),
		u.GetInputTokens(), u.GetOutputTokens(), u.GetCachedInputTokens(), u.GetCacheWriteTokens(), u.GetReasoningTokens(), int32(u.GetSource()),
		a.GetCostNanos(), a.GetCurrency(), a.GetPriceVersion(), failure, Micros(a.GetSettleTime()),
		a.GetQueueMicros(), a.GetFirstTokenMicros(), a.GetTotalMicros(), a.GetProviderResponseId(),
	), nil
}

// Failure is an attempt's failure as a column: not nil, empty where it has none.
func Failure(a *gptv1.Attempt) ([]byte, error) {
	if a.GetFailure() == nil {
		return []byte{}, nil
	}
	// A map's order must not make equal failures differ.
	return proto.MarshalOptions{Deterministic: true}.Marshal(a.GetFailure())
}

// Micros is a time as a column.
func Micros(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.AsTime().UnixMicro()
}

func fromMicros(micros int64) *timestamppb.Timestamp {
	if micros == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMicro(micros))
}

// Progress is what a running attempt has used so far.
type Progress struct {
	// ID is the attempt's.
	ID string
	// InputTokens, OutputTokens and CostNanos replace the row's.
	InputTokens, OutputTokens, CostNanos int64
}

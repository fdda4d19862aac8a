package response

import (
	"context"
	"slices"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

const (
	// spentTime bounds the asking for what one answer has used, or those of one sweep.
	spentTime = 2 * time.Second
	// spentTries is how often it is asked for again while the call is not settled yet: for
	// 635 ms.
	spentTries = 7
	// spentPage is how many attempts of one request are looked at.
	spentPage = 100
)

// account takes from the ledger what an answer has used that is not whole: no count of
// its provider came, or one from before the end. err is how its call ended.
func (r *run) account(ctx context.Context, err error, state responsev1.Response_State, failure *fault.Fault) {
	switch {
	case r.kept != nil || r.req.GetRequestId() == "" || state == responsev1.Response_STATE_COMPLETED:
		return
	case state == responsev1.Response_STATE_FAILED && !r.said && r.sequence == 0 && failure.Metadata["outcome"] != fault.OutcomeUnknown:
		return // nothing was made
	case r.held != nil && r.response.GetUsage().GetSource() == conversationv1.UsageSource_USAGE_SOURCE_PARTIAL:
		return // the gpt room has told what it settled
	}
	r.giveTurn() // the ledger takes its time
	ctx, cancel := callctx.Lasting(ctx, spentTime)
	defer cancel()
	var noted *conversationv1.Usage
	for try := 0; ; try++ {
		rows, err := r.s.attempts(ctx, r.req.GetRequestId())
		if err != nil {
			r.s.deps.Logger.Warn("the ledger cannot be asked for what an answer has used", "response_id", r.id, "error", err)
			break
		}
		usage, settled := spent(rows, r.id, r.answered)
		if noted = usage; settled {
			r.spent = usage
			break
		}
		if try == spentTries || !pause(ctx, 5*time.Millisecond<<try) { // its call is being closed
			break
		}
	}
	if r.spent == nil && fault.BrokeOff(err) {
		r.spent = noted // the process that made the call has died: its row will say the same
	}
	if r.spent != nil {
		r.response.Usage = r.spent
	}
}

// pause waits; false where ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempts are the rows of the ledger of a request, newest first.
func (s *Service) attempts(ctx context.Context, requestID string) ([]*gptv1.Attempt, error) {
	resp, err := s.deps.GPT.ListAttempts(ctx, &gptv1.ListAttemptsRequest{RequestId: requestID, PageSize: spentPage})
	return resp.GetAttempts(), err
}

// spent sums what the attempts that an answer is of have used: those named, or the
// newest where none is. It is nil where there is none; settled says that nothing of it
// changes any more.
func spent(rows []*gptv1.Attempt, responseID string, named []string) (usage *conversationv1.Usage, settled bool) {
	settled = true
	for _, row := range rows {
		if row.GetResponseId() != responseID || len(named) > 0 && !slices.Contains(named, row.GetId()) {
			continue
		}
		if usage == nil {
			usage = new(conversationv1.Usage)
		}
		u := row.GetUsage()
		usage.InputTokens += u.GetInputTokens()
		usage.OutputTokens += u.GetOutputTokens()
		usage.CachedInputTokens += u.GetCachedInputTokens()
		usage.CacheWriteTokens += u.GetCacheWriteTokens()
		usage.ReasoningTokens += u.GetReasoningTokens()
		usage.Source = max(usage.Source, u.GetSource())
		if row.GetState() == gptv1.Attempt_STATE_RESERVED {
			settled, usage.Source = false, conversationv1.UsageSource_USAGE_SOURCE_PARTIAL
		}
		if len(named) == 0 {
			break
		}
	}
	return usage, settled
}

// spentBy asks the ledger for the attempts of answers whose process died, and returns the
// answers that may be ended now: those of which there was time to ask. Where the ledger
// cannot be asked at all, they end without.
func (s *Service) spentBy(ctx context.Context, answers []*responsev1.Response) ([]*responsev1.Response, map[string][]*gptv1.Attempt) {
	ctx, cancel := context.WithTimeout(ctx, spentTime)
	defer cancel()
	rows := make(map[string][]*gptv1.Attempt, len(answers))
	for i, r := range answers {
		if r.GetRequestId() == "" {
			continue
		}
		found, err := s.attempts(callctx.With(ctx, callctx.Call{
			RequestID: r.GetRequestId(),
			Principal: callctx.Principal{ID: r.GetOwner(), Kind: callctx.Room, Internal: true},
		}), r.GetRequestId())
		switch {
		case err != nil && ctx.Err() != nil && len(rows) > 0:
			return answers[:i], rows
		case err != nil:
			s.deps.Logger.Warn("the ledger cannot be asked for what interrupted answers have used", "answers", len(answers)-len(rows), "error", err)
			return answers, rows
		}
		rows[r.GetId()] = found
	}
	return answers, rows
}

// attemptsOf appends the attempts that events name.
func attemptsOf(dst []string, events []*conversationv1.Event) []string {
	for _, event := range events {
		id := event.GetStarted().GetAttemptId()
		if continued := event.GetContinued(); continued != nil {
			id = continued.GetAttemptId()
		}
		if id != "" {
			dst = append(dst, id)
		}
	}
	return dst
}

// withUsage puts what an answer has used before its end.
func withUsage(events []*conversationv1.Event, usage *conversationv1.Usage) []*conversationv1.Event {
	if usage == nil {
		return events
	}
	return append(events, &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: wire.CopyUsage(usage)}})
}

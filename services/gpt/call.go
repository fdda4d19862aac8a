package gpt

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// call is one model call of a client: one attempt, or several.
type call struct {
	service *Service
	plan    registry.Plan
	turn    *conversationv1.Turn
	request *gptv1.GenerateRequest
	arrived time.Time
	// estimate is a guess at the tokens of the prompt.
	estimate int64
	// operation is what is done, for traces, as OpenTelemetry calls it. Empty
	// means chat.
	operation string
	// free calls cost nothing: the ledger keeps no row of them.
	free bool
	// cautious calls are made again only where the provider cannot have begun, or
	// clearly said that it did not.
	cautious bool
	// work is what the attempts do.
	work work

	// What the first attempt takes, and most calls make no other.
	first struct {
		attempt  attempt
		way      way
		contexts *attemptContexts   // nil where the call brought none
		marks    [8]bool            // room for tried and blocked
		entries  [1]*registry.Entry // room for called
	}

	number  int32
	tried   []bool            // by option
	stick   *registry.Option  // where the next attempt must go; nil for anywhere
	blocked []bool            // by option: could not be entered just now
	called  []*registry.Entry // to whom this call was made
	begun   atomic.Bool       // something reached the client
	unknown atomic.Bool       // of some attempt nobody knows what the provider did
	race    *race             // of two attempts; nil without hedging
	seam    *seam             // nil where the answer is not to be continued
}

// work is what a call is made for.
type work interface {
	// invoke calls a provider once, as provider.Provider.Generate does. turn is
	// the call's own, or what a continuation makes of it.
	invoke(ctx context.Context, a *attempt, turn *conversationv1.Turn, sink provider.Sink) error
	// send hands a chunk to the client, to which it is lent.
	send(chunk *conversationv1.Chunk) error
}

// workOf is work by two functions.
type workOf struct {
	calling func(ctx context.Context, to *registry.Option, turn *conversationv1.Turn, sink provider.Sink) error
	sending func(*conversationv1.Chunk) error
}

func (w *workOf) invoke(ctx context.Context, a *attempt, turn *conversationv1.Turn, sink provider.Sink) error {
	return w.calling(ctx, a.way.option, turn, sink)
}

func (w *workOf) send(chunk *conversationv1.Chunk) error { return w.sending(chunk) }

// result is how an attempt ended.
type result struct {
	attempt *attempt
	// err is what the client is told. Nil where it has got a terminal event.
	err error
	// failure is why the attempt failed, where another may be made.
	failure error
}

// run makes attempts until one has sent something, succeeded, or failed for
// good.
func (c *call) run(ctx context.Context) error {
	n, marks := len(c.plan.Options), c.first.marks[:]
	if 2*n > len(marks) {
		marks = make([]bool, 2*n)
	}
	c.tried, c.blocked, c.called = marks[:n], marks[n:2*n], c.first.entries[:0]
	cause := gptv1.Attempt_CAUSE_FIRST
	var got result
	for {
		way, err := c.enter(ctx, cause)
		if err != nil {
			if got.failure != nil && ctx.Err() == nil {
				err = got.failure // that nobody else takes the call is not what went wrong
			}
			return c.give(err)
		}
		if wait := c.hedgeAfter(way); wait > 0 {
			got = c.hedged(ctx, way, wait)
		} else {
			got = c.once(ctx, way)
		}
		if got.failure == nil {
			return got.err
		}
		if cause, err = c.next(ctx, way, &got); cause == 0 {
			return err
		}
	}
}

// give ends an answer that cannot go on: as the call's error where nothing was
// sent, else as its terminal event.
func (c *call) give(err error) error {
	if !c.begun.Load() {
		return err
	}
	return c.work.send(c.seam.broken(err))
}

// fated marks the error of a call that sent nothing with what is known of the
// work: whether a provider may have begun it decides if it may be asked for again.
func (c *call) fated(err error) error {
	f := fault.From(err)
	switch {
	case c.unknown.Load():
		return fault.WithOutcome(f, fault.OutcomeUnknown)
	case f.Code == codes.DeadlineExceeded || f.Code == codes.Canceled:
		return fault.WithOutcome(f, fault.OutcomeNotBegun)
	}
	return err
}

// next decides what comes after a failure: another target, the same one again
// after a pause, or nothing; cause is then 0 and err what the client is told.
func (c *call) next(ctx context.Context, way *way, got *result) (cause gptv1.Attempt_Cause, err error) {
	s, reason := c.service, fault.From(got.failure).Reason
	c.stick = nil
	if got.attempt.interrupted {
		alone := len(c.plan.Options) == 1 && int(c.number) < c.most()
		if !c.other() && !(alone && c.pay(way.option.Target.Entry)) {
			return 0, c.give(got.failure)
		}
		return gptv1.Attempt_CAUSE_CONTINUATION, nil
	}
	if c.mayFallBack(got.failure) {
		if c.other() {
			s.metrics.retries.WithLabelValues(way.option.Target.Entry.Info.Name, fault.ReasonName(reason)).Inc()
			return gptv1.Attempt_CAUSE_FALLBACK, nil
		}
	}
	failure, retry := (*provider.Error)(nil), s.cfg.Retry
	if c.cautious {
		retry.ServerErrors, retry.Unknown = false, false
	}
	retry.Unknown = retry.Unknown || c.fallsBackOn(onUnknown)
	if !errors.As(got.failure, &failure) || !retry.may(failure) || int(c.number) >= c.most() || !c.pay(way.option.Target.Entry) {
		return 0, got.err
	}
	s.metrics.retries.WithLabelValues(way.option.Target.Entry.Info.Name, fault.ReasonName(reason)).Inc()
	if !c.mayFallBack(got.failure) {
		c.stick = way.option
	}
	if err := s.pause(ctx, c.number, failure.RetryAfter()); err != nil {
		return 0, s.ended(ctx, err, way.option.Target.Entry.Info.Name)
	}
	return gptv1.Attempt_CAUSE_RETRY, nil
}

// other says that another target can take the call, and pays for it.
func (c *call) other() bool {
	i, _ := c.choose()
	if i < 0 {
		return false
	}
	rank, _ := c.fitness(i, c.service.deps.Clock())
	return rank < used && c.payFor(c.plan.Options[i].Target.Entry)
}

// most is how many attempts a call may have: every target once at least.
func (c *call) most() int { return max(c.service.cfg.Retry.MaxAttempts, len(c.plan.Options)) }

// pay takes one more call of a provider from its budget.
func (c *call) pay(entry *registry.Entry) bool { return entry.Budget.Retry() }

// payFor is pay for a provider that this call may not have reached yet: its
// first call is no extra load.
func (c *call) payFor(entry *registry.Entry) bool {
	return !slices.Contains(c.called, entry) || c.pay(entry)
}

// fallsBackOn says whether a class of failures lets another target be tried.
func (c *call) fallsBackOn(class string) bool {
	if c.plan.Route == nil {
		return slices.Contains(fallbackDefault, class)
	}
	return slices.Contains(c.plan.Route.FallbackOn, class)
}

// mayFallBack says whether another target may be tried after a failure.
func (c *call) mayFallBack(err error) bool {
	if len(c.plan.Options) < 2 {
		return false
	}
	class := classOf(err)
	if c.cautious && class != onUnreachable && class != onRateLimited && class != onKeyRefused && class != onModelNotFound {
		return false
	}
	return class != "" && c.fallsBackOn(class)
}

// classOf is the class of a failure before the first token. Empty for those
// after which no other target is tried: the client's own.
func classOf(err error) string {
	failure := (*provider.Error)(nil)
	if !errors.As(err, &failure) {
		if fault.From(err).Reason == meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT {
			return onTimeout
		}
		return ""
	}
	switch failure.Fault.Reason {
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE:
		if failure.NotSent {
			return onUnreachable
		}
		return onUnknown
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED:
		return onRateLimited
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR:
		return onServerError
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY:
		return onKeyRefused
	case meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND:
		return onModelNotFound
	case meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED:
		return onContextLength
	case meshv1.ErrorReason_ERROR_REASON_CONTENT_FILTERED:
		return onContentFilter
	case meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL:
		return onUnknown // it had begun
	}
	return ""
}

// once makes one attempt, on a way that was entered.
func (c *call) once(ctx context.Context, way *way) result {
	a := newAttempt(c, way)
	outcome, err := a.run(ctx)
	way.leave(outcome, a.failure, a)
	got := result{attempt: a, err: err}
	switch {
	case a.interrupted && ctx.Err() == nil:
		got.failure = a.failure
	case err == nil || a.sent || c.begun.Load() || ctx.Err() != nil:
	default:
		got.failure = err
	}
	return got
}

// may says whether a failed call may be made again: the provider cannot have
// begun, or has clearly refused.
func (c RetryConfig) may(e *provider.Error) bool {
	if e.RetryAfter() > c.MaxRetryAfter {
		return false
	}
	switch {
	case e.NotSent:
		return e.Fault.Reason == meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE ||
			e.Fault.Reason == meshv1.ErrorReason_ERROR_REASON_OVERLOADED
	case e.Status == 429:
		return e.Fault.Metadata["quota"] == ""
	case e.Status == 503 && e.RetryAfter() > 0:
		return true
	case e.Status == 500 || e.Status == 502 || e.Status == 503 || e.Status == 504 || e.Status == 529:
		return c.ServerErrors
	case e.Status == 0 && e.Fault.Reason == meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE:
		return c.Unknown
	}
	return false
}

// pause waits before another attempt: as long as the provider asks, and a
// random part of a time that doubles.
func (s *Service) pause(ctx context.Context, number int32, atLeast time.Duration) error {
	bound := s.cfg.Retry.BaseDelay << min(number-1, 20)
	if bound <= 0 || bound > s.cfg.Retry.MaxDelay {
		bound = s.cfg.Retry.MaxDelay
	}
	timer := time.NewTimer(atLeast + rand.N(bound))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

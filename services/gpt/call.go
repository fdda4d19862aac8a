package gpt

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/limiter"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// call is one model call of a client: one attempt, or several.
type call struct {
	service *Service
	target  *registry.Target
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
	// invoke calls the provider once, as provider.Provider.Generate does.
	invoke func(ctx context.Context, sink provider.Sink) error
	send   func(*conversationv1.Chunk) error
}

// run makes attempts until one has sent something, succeeded, or failed for
// good.
func (c *call) run(ctx context.Context) error {
	entry := c.target.Entry
	entry.Budget.Call()
	for number := int32(1); ; number++ {
		again, err := c.once(ctx, number)
		if again == nil {
			return err
		}
		if int(number) >= c.service.cfg.Retry.MaxAttempts || !entry.Budget.Retry() {
			return err
		}
		c.service.metrics.retries.WithLabelValues(entry.Info.Name, fault.ReasonName(fault.From(err).Reason)).Inc()
		if waitErr := c.service.pause(ctx, number, again.RetryAfter()); waitErr != nil {
			return c.service.ended(ctx, waitErr, entry.Info.Name)
		}
	}
}

// once makes one attempt. again is set where another may be made.
func (c *call) once(ctx context.Context, number int32) (again *provider.Error, err error) {
	entry, s := c.target.Entry, c.service
	release, err := s.enter(ctx, entry)
	if err != nil {
		return nil, err
	}
	a := newAttempt(c, number)
	outcome, err := a.run(ctx)
	release(outcome, a.failure)
	failure, retry := (*provider.Error)(nil), s.cfg.Retry
	if c.cautious {
		retry.ServerErrors, retry.Unknown = false, false
	}
	if err == nil || a.sent || ctx.Err() != nil || !errors.As(err, &failure) || !retry.may(failure) {
		return nil, err
	}
	return failure, err
}

// enter asks breaker and limiter for the right to call a provider. release must
// be called with how the call went.
func (s *Service) enter(ctx context.Context, entry *registry.Entry) (release func(breaker.Outcome, error), err error) {
	name := entry.Info.Name
	if err := entry.Limiter.Acquire(ctx); err != nil {
		if errors.Is(err, limiter.ErrFull) {
			return nil, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED,
				"too many calls of the provider "+name+" are under way", "room", "gpt", "provider", name).WithRetryAfter(time.Second)
		}
		return nil, s.ended(ctx, err, name)
	}
	if entry.Breaker == nil {
		return func(breaker.Outcome, error) { entry.Limiter.Release() }, nil
	}
	ticket, wait := entry.Breaker.Allow()
	if ticket == nil {
		entry.Limiter.Release()
		return nil, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE,
			"the provider "+name+" failed too often; it is left alone for a while", "provider", name, "breaker", "open").WithRetryAfter(wait)
	}
	return func(outcome breaker.Outcome, failure error) {
		reason := ""
		if outcome == breaker.Failure {
			reason = fault.From(failure).Message
		}
		ticket.Done(outcome, reason)
		entry.Limiter.Release()
	}, nil
}

// may says whether a failed call may be made again: the provider cannot have
// begun, or has clearly refused.
func (c RetryConfig) may(e *provider.Error) bool {
	if e.RetryAfter() > c.MaxRetryAfter {
		return false
	}
	switch {
	case e.NotSent:
		return e.Fault.Reason == meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE
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

package rpc

import (
	"context"
	"log/slog"
	"time"

	"buf.build/go/protovalidate"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Wire is what stands before a room on a wire. All but the tracer is required.
type Wire struct {
	Logger        *slog.Logger
	Metrics       *CallMetrics
	Tracer        trace.Tracer
	Authenticator *auth.Authenticator
	Limiter       *ratelimit.Limiter
	Validator     protovalidate.Validator
}

// Interceptor surrounds a call with, from the outside: its request id, its span,
// its line in the log, its metrics, recovery from panics, the bounds of depth and
// time, authentication, the rate limit, and the rules on the request. It is one
// interceptor because each further one costs a call several allocations.
func (w Wire) Interceptor() Interceptor {
	spans := Trace(w.Tracer, "wire")
	around := func(ctx context.Context, m *Method, id string, next func(context.Context) error) error {
		call := wireCall{Wire: &w, method: m, metrics: w.Metrics.of("wire", m), start: time.Now(), ctx: ctx, id: id}
		return call.run(next)
	}
	if w.Tracer == nil {
		return Interceptor{Name: "wire", Check: w.check, Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) error {
			return around(ctx, m, takeRequestID(ctx), next)
		}}
	}
	return Interceptor{Name: "wire", Check: w.check, Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) error {
		id := takeRequestID(ctx)
		return spans.Wrap(callctx.With(ctx, callctx.Call{RequestID: id}), m, func(ctx context.Context) error { return around(ctx, m, id, next) })
	}}
}

// wireCall is one call under way.
type wireCall struct {
	*Wire
	method    *Method
	metrics   *methodMetrics
	start     time.Time
	ctx       context.Context
	id        string
	principal string // empty until it is known
}

func (c *wireCall) run(next func(context.Context) error) (err error) {
	c.metrics.running.Inc()
	defer func() {
		if p := recover(); p != nil {
			err = recovered(callctx.With(c.ctx, callctx.Call{RequestID: c.id}), c.Logger, c.method, p)
		}
		err = told(err)
		c.metrics.running.Dec()
		took, code, f := time.Since(c.start), codes.OK, (*fault.Fault)(nil)
		if err != nil {
			f = fault.From(err)
			code = f.Code
		}
		c.metrics.codes[min(code, codes.Unauthenticated)].Inc()
		c.metrics.duration.Observe(took.Seconds())
		c.log(code, took, f)
	}()
	return c.pass(next)
}

// pass lets the call through to the room if it may.
func (c *wireCall) pass(next func(context.Context) error) error {
	depth, err := depthOf(c.ctx)
	if err != nil {
		return err
	}
	deadline, limited := c.ctx.Deadline()
	var left time.Duration
	if limited {
		if left = time.Until(deadline); left <= 0 {
			return fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
				"the deadline had run out before the "+c.method.Room+" room began", "room", c.method.Room)
		}
	}
	principal, err := admit(c.ctx, c.Authenticator, c.method)
	c.principal = principal.ID
	if err == nil && !principal.Internal { // calls of rooms were counted where they came in
		_, err = c.Limiter.Allow(principal.ID, c.method.Policy.GetRateClass())
	}
	if err != nil {
		return err
	}
	call := callctx.Call{RequestID: c.id, Principal: principal, Depth: depth}
	if !limited {
		return next(callctx.With(c.ctx, call))
	}
	var inner scope.Scope
	inner.StartUntil(c.ctx, deadline.Add(-hopShare(left)), nil)
	defer inner.Cancel(nil)
	err = next(callctx.With(&inner, call))
	if f := fault.From(err); f != nil && f.Code == codes.DeadlineExceeded && f.Metadata["room"] == "" &&
		f.Reason == meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED {
		return fault.New(codes.DeadlineExceeded, f.Reason, "the deadline ran out in the "+c.method.Room+" room", "room", c.method.Room).WithCause(err)
	}
	return err
}

// check holds a request to the rules in its contract. Requests of rooms were
// checked where they came in; that they are those of rooms must be known.
func (w Wire) check(ctx context.Context, _ *Method, request proto.Message) error {
	if callctx.From(ctx).Principal.Internal && !(w.Authenticator.Open() && first(ctx, secretKey) == auth.OpenSecret) {
		return nil
	}
	return Validate(w.Validator, request)
}

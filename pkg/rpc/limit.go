package rpc

import (
	"context"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
)

// RateLimit counts the caller's calls against the method's class. Calls of
// rooms are not counted: they were where they came in.
func RateLimit(limiter *ratelimit.Limiter) Interceptor {
	return Interceptor{Name: "rate_limit", Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) error {
		if principal := callctx.From(ctx).Principal; !principal.Internal {
			if _, err := limiter.Allow(principal.ID, m.Policy.GetRateClass()); err != nil {
				return err
			}
		}
		return next(ctx)
	}}
}

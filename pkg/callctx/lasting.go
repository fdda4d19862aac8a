package callctx

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// Lasting is a context for what must happen although the caller may leave: the
// values of ctx, and a deadline of its own. It costs little where nobody waits
// for its end. The returned function must be called when the work is over.
func Lasting(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	s := scope.Lasting(ctx, timeout)
	return s, s.Stop
}

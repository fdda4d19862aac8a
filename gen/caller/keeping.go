package caller

import (
	"context"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// Keeping tells the sink of a streaming call whether it may keep what it is
// handed, instead of a clone: what came over a connection is nobody else's. It is
// for one call, and for one goroutine at a time like its sink.
type Keeping struct {
	place scope.Valued
	may   bool
}

type keepingKey struct{}

// With returns a context for a call that fills in k, and that lies in k: it is
// called once.
func (k *Keeping) With(ctx context.Context) context.Context {
	return k.place.With(ctx, keepingKey{}, k)
}

// May says that what the message at hand points to is the sink's; the message
// itself is lent.
func (k *Keeping) May() bool { return k.may }

// granted notes that the call's messages are the sink's.
func granted(ctx context.Context) {
	if k, ok := ctx.Value(keepingKey{}).(*Keeping); ok {
		k.may = true
	}
}

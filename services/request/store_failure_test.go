package request

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
)

// brokenStore cannot commit some writes.
type brokenStore struct {
	store.Store
	accepts, finishes atomic.Int32 // how many fail
}

func (s *brokenStore) Accept(ctx context.Context, r *requestv1.Request, instance string, key *store.Key) error {
	if s.accepts.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	return s.Store.Accept(ctx, r, instance, key)
}

func (s *brokenStore) Finish(ctx context.Context, r *requestv1.Request, answered bool) error {
	if s.finishes.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	return s.Store.Finish(ctx, r, answered)
}

// TestStoreFails: what cannot be committed is not acknowledged, and stored as
// soon as it can.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	broken := &brokenStore{}
	w := open(t, options{
		config: func(c *Config) { c.RetryInterval = 5 * time.Millisecond },
		store:  func(s store.Store) store.Store { broken.Store = s; return broken },
	})
	for _, key := range []string{"", "k1"} {
		broken.accepts.Store(1)
		req := ask("hi")
		req.IdempotencyKey = key
		equal(t, w.submit(t.Context(), req), "error:STORE_UNAVAILABLE")
	}
	broken.finishes.Store(3)
	req := ask("hi")
	req.IdempotencyKey = "k2"
	g := w.submit(t.Context(), req)
	equal(t, g, "1:^Hel 2:lo 3:!STORE_UNAVAILABLE")
	id := g.requests[0].GetId()
	// The client was told of the store, the row tells of the answer.
	eventually(t, "the row says so", func() bool { return w.get(id).GetState() == completed })
	equal(t, w.submit(t.Context(), ask("hi")), hello)
	// The answer is whole and stands in the response room: the key gives it.
	equal(t, w.submit(t.Context(), req), hello)
}

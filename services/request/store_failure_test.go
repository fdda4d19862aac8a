package request

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"google.golang.org/grpc/codes"
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

// lostStore makes the commit of a row whose answer is lost.
type lostStore struct{ store.Store }

func (s *lostStore) Accept(ctx context.Context, r *requestv1.Request, instance string, key *store.Key) error {
	// However long this process stands still: the row is there.
	if err := s.Store.Accept(context.WithoutCancel(ctx), r, instance, key); err != nil {
		return err
	}
	return groupcommit.ErrAborted
}

// TestLostCommit: a request whose row is there though its commit was not acknowledged
// comes to its end, and says what its answer says.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	for want, pieces := range map[requestv1.Request_State][]string{completed: {"Hello"}, failed: nil} {
		w := open(t, options{
			config: func(c *Config) {
				c.RetryInterval, c.StoreTimeout, c.RowDelay = 5*time.Millisecond, 50*time.Millisecond, 0
			},
			store: func(s store.Store) store.Store { return &lostStore{Store: s} },
		})
		w.response.Play(func(ctx context.Context, req *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
			eventually(t, "the row is there", func() bool {
				list, err := w.caller.ListRequests(t.Context(), &requestv1.ListRequestsRequest{})
				return err == nil && len(list.GetRequests()) == 1
			})
			if pieces == nil {
				return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider failed")
			}
			events := []*conversationv1.Event{responsetest.Started(), responsetest.Text("Hello")}
			return send(append(events, responsetest.Ending()...)...)
		})
		req := ask("hi")
		equal(t, w.submit(t.Context(), req), "error:STORE_UNAVAILABLE")
		eventually(t, "the row is final", func() bool { return final(w.newest().GetState()) })
		equal(t, w.newest().GetState(), want)
	}
}

// unflushedStore has rows that are written, and not on the disk before flushed is
// closed, or never.
type unflushedStore struct {
	store.Store
	flushed chan struct{}
	err     error // of the flush
}

func (s *unflushedStore) AcceptLater(ctx context.Context, r *requestv1.Request, instance string) (durable.Write, error) {
	return s, s.Accept(ctx, r, instance, nil)
}

func (s *unflushedStore) Written(context.Context) error { return nil }

func (s *unflushedStore) Wait(ctx context.Context) error {
	select {
	case <-s.flushed:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestFirstChunkWaitsForNoFlush: a client sees the first chunk while its rows are on
// their way to the disk, and the end when they are there; where they cannot be, the
// end says so.
func TestFirstChunkWaitsForNoFlush(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{hello: nil, "1:^Hel 2:lo 3:!STORE_UNAVAILABLE": groupcommit.ErrAborted} {
		unflushed := &unflushedStore{flushed: make(chan struct{}), err: err}
		w := open(t, options{
			config: func(c *Config) { c.RetryInterval = 5 * time.Millisecond },
			store:  func(s store.Store) store.Store { unflushed.Store = s; return unflushed },
		})
		equal(t, w.submit(t.Context(), ask("hi"), func(m *requestv1.SubmitResponse) error {
			switch m.GetChunk().GetSequence() {
			case 1:
				if state := w.newest().GetState(); state != accepted && state != running {
					t.Errorf("amid the answer the row says %v", state)
				}
			case 2:
				close(unflushed.flushed)
			case 3:
				select {
				case <-unflushed.flushed:
				default:
					t.Error("the end did not wait for the disk")
				}
			}
			return nil
		}), want)
		eventually(t, "the row says so", func() bool { return w.newest().GetState() == completed })
	}
}

// TestDetachedWaitsForTheFlush: nobody waits for the end of what is acknowledged here.
func TestDetachedWaitsForTheFlush(t *testing.T) {
	t.Parallel()
	unflushed := &unflushedStore{flushed: make(chan struct{}), err: groupcommit.ErrAborted}
	close(unflushed.flushed)
	w := open(t, options{store: func(s store.Store) store.Store { unflushed.Store = s; return unflushed }})
	if _, err := w.caller.SubmitDetached(t.Context(), &requestv1.SubmitDetachedRequest{Submit: ask("hi")}); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE) {
		t.Errorf("%v", err)
	}
}

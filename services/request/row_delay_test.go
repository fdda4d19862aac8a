package request

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
)

// countingStore counts the writes of requests.
type countingStore struct {
	store.Store
	accepts, adds, finishes atomic.Int32
	broken                  atomic.Int32 // how many adds fail
}

func (s *countingStore) Accept(ctx context.Context, r *requestv1.Request, instance string, key *store.Key) error {
	s.accepts.Add(1)
	return s.Store.Accept(ctx, r, instance, key)
}

func (s *countingStore) Add(ctx context.Context, r *requestv1.Request, instance string, answered bool) error {
	if s.broken.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	s.adds.Add(1)
	return s.Store.Add(ctx, r, instance, answered)
}

func (s *countingStore) Finish(ctx context.Context, r *requestv1.Request, answered bool) error {
	s.finishes.Add(1)
	return s.Store.Finish(ctx, r, answered)
}

func (s *countingStore) counts() [3]int32 {
	return [3]int32{s.accepts.Load(), s.adds.Load(), s.finishes.Load()}
}

func delayed(t *testing.T, delay time.Duration) (*world, *countingStore) {
	t.Helper()
	counting := &countingStore{}
	w := open(t, options{
		config: func(c *Config) { c.RowDelay, c.RetryInterval = delay, 5*time.Millisecond },
		store:  func(s store.Store) store.Store { counting.Store = s; return counting },
	})
	// The whole answer in one chunk.
	w.response.Play(func(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		return send(append([]*conversationv1.Event{responsetest.Started(), responsetest.Text("Hello")}, responsetest.Ending()...)...)
	})
	return w, counting
}

func whole() *requestv1.SubmitRequest {
	req := ask("hi")
	req.Turn.Stream = false
	return req
}

func TestQuickRequestIsWrittenOnce(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Hour)
	g := w.submit(t.Context(), whole(), func(m *requestv1.SubmitResponse) error {
		if state := w.get(m.GetRequest().GetId()).GetState(); state != requestv1.Request_STATE_COMPLETED {
			t.Errorf("the end came out before its row: %v", state)
		}
		return nil
	})
	equal(t, g, "1:^Hello$")
	equal(t, store.counts(), [3]int32{0, 1, 0})
}

func TestWhatWaitsForNoRowHasOneAtOnce(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*requestv1.SubmitRequest){
		"stream": func(r *requestv1.SubmitRequest) { r.Turn.Stream = true },
		"key":    func(r *requestv1.SubmitRequest) { r.IdempotencyKey = "k" },
		"drain": func(r *requestv1.SubmitRequest) {
			r.OnDisconnect = responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, store := delayed(t, time.Hour)
			req := whole()
			change(req)
			equal(t, w.submit(t.Context(), req), "1:^Hello$")
			equal(t, store.counts(), [3]int32{1, 0, 1})
		})
	}
	t.Run("pieces", func(t *testing.T) { // the first is passed on before the last
		t.Parallel()
		w, store := delayed(t, time.Hour)
		w.response.Play(responsetest.Says("Hel", "lo"))
		equal(t, w.submit(t.Context(), whole()), hello)
		equal(t, store.counts(), [3]int32{1, 0, 1})
	})
}

func TestSlowRequestHasARowMeanwhile(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Millisecond)
	w.response.Play(func(ctx context.Context, req *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		eventually(t, "a row", func() bool {
			resp, err := w.caller.GetRequest(ctx, &requestv1.GetRequestRequest{RequestId: req.GetRequestId()})
			return err == nil && resp.GetRequest().GetState() == requestv1.Request_STATE_RUNNING
		})
		return send(append([]*conversationv1.Event{responsetest.Started()}, responsetest.Ending()...)...)
	})
	equal(t, w.submit(t.Context(), whole()), "1:^$")
	equal(t, store.counts(), [3]int32{1, 0, 1})
}

func TestEndWithoutRowThatCannotBeStored(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Hour)
	store.broken.Store(3)
	equal(t, w.submit(t.Context(), whole()), "error:STORE_UNAVAILABLE")
	// The answer is whole: so is the request, as soon as it can be stored.
	eventually(t, "a row", func() bool {
		resp, err := w.caller.ListRequests(t.Context(), &requestv1.ListRequestsRequest{})
		return err == nil && len(resp.GetRequests()) == 1 && resp.GetRequests()[0].GetState() == requestv1.Request_STATE_COMPLETED
	})
}

// TestRefusedWithoutRow: an error before the first chunk is in the row too.
func TestRefusedWithoutRow(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Hour)
	w.response.Play(func(context.Context, *responsev1.GenerateRequest, func(...*conversationv1.Event) error) error {
		return deadline("gpt")
	})
	equal(t, w.submit(t.Context(), whole()), "error:DEADLINE_EXCEEDED")
	equal(t, w.newest().GetState(), requestv1.Request_STATE_FAILED)
	equal(t, store.counts(), [3]int32{0, 1, 0})
}

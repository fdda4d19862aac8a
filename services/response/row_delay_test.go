package response

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// countingStore counts the writes of answers.
type countingStore struct {
	store.Store
	begins, adds, finishes atomic.Int32
	broken                 atomic.Int32 // how many adds fail
}

func (s *countingStore) Begin(ctx context.Context, r *responsev1.Response, instance string) error {
	s.begins.Add(1)
	return s.Store.Begin(ctx, r, instance)
}

func (s *countingStore) Add(ctx context.Context, f store.Final, instance string) error {
	if s.broken.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	s.adds.Add(1)
	return s.Store.Add(ctx, f, instance)
}

func (s *countingStore) Finish(ctx context.Context, f store.Final) error {
	s.finishes.Add(1)
	return s.Store.Finish(ctx, f)
}

func (s *countingStore) counts() [3]int32 {
	return [3]int32{s.begins.Load(), s.adds.Load(), s.finishes.Load()}
}

func delayed(t *testing.T, delay time.Duration) (*world, *countingStore) {
	t.Helper()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), func(c *Config) { c.RowDelay = delay })
	counting := &countingStore{Store: w.Service.store}
	w.Service.store = counting // before Start: nothing else uses it yet
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, counting
}

// all is a whole answer in one chunk.
func all() *conversationv1.Chunk {
	out := &conversationv1.Chunk{}
	for _, c := range hello() {
		out.Events = append(out.Events, c.GetEvents()...)
	}
	return out
}

func whole(id string) *responsev1.GenerateRequest {
	t := turn()
	t.Stream = false
	return &responsev1.GenerateRequest{ResponseId: id, Turn: t}
}

func TestQuickAnswerIsWrittenOnce(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Hour)
	w.model.plays(says(all()))
	chunks, err := w.generate(t.Context(), whole("resp_1"), func(*conversationv1.Chunk) error {
		if state := w.get("resp_1").GetState(); state != responsev1.Response_STATE_COMPLETED {
			t.Errorf("the end came out before its row: %v", state)
		}
		return nil
	})
	if err != nil || len(chunks) != 1 {
		t.Fatal(show(chunks), err)
	}
	if got := store.counts(); got != [3]int32{0, 1, 0} {
		t.Errorf("begun, added, finished %v", got)
	}
	watched, err := w.watch(t.Context(), "resp_1", 0, 0)
	if err != nil || show(watched) != show(chunks) {
		t.Errorf("watched %s, %v", show(watched), err)
	}
	_, err = w.generate(t.Context(), whole("resp_1"))
	equal(t, reason(err), "ALREADY_EXISTS")
}

// Who asks for an answer while it is made finds it, though it has no row before its end.
func TestAnswerIsFoundBeforeItsRow(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Hour)
	w.model.plays(func(_ context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		got := w.get("resp_1")
		equal(t, got.GetState().String(), "STATE_RUNNING")
		equal(t, got.GetRequestId(), "req_1")
		if got.GetCreateTime() == nil {
			t.Error("it has no time")
		}
		_, err := w.caller.GetResponse(callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "other"}}), &responsev1.GetResponseRequest{ResponseId: "resp_1"})
		equal(t, reason(err), "RESPONSE_NOT_FOUND")
		return send(all())
	})
	req := whole("resp_1")
	req.RequestId = "req_1"
	if _, err := w.generate(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got := store.counts(); got != [3]int32{0, 1, 0} {
		t.Errorf("begun, added, finished %v", got)
	}
	equal(t, w.get("resp_1").GetState().String(), "STATE_COMPLETED")
}

func TestWhatWaitsForNoRowHasOneAtOnce(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*responsev1.GenerateRequest){
		"stream": func(r *responsev1.GenerateRequest) { r.Turn.Stream = true },
		"drain": func(r *responsev1.GenerateRequest) {
			r.OnDisconnect = responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN
		},
		"pieces": func(*responsev1.GenerateRequest) {}, // the first is passed on before the last
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, store := delayed(t, time.Hour)
			w.model.plays(says(hello()...))
			req := whole("resp_1")
			change(req)
			if _, err := w.generate(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			if got := store.counts(); got != [3]int32{1, 0, 1} {
				t.Errorf("begun, added, finished %v", got)
			}
		})
	}
}

func TestSlowAnswerHasARowMeanwhile(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Millisecond)
	w.model.plays(func(ctx context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		eventually(t, "a row", func() bool {
			record, err := store.Get(ctx, callctx.Owner(ctx), "resp_1")
			return err == nil && record.Response.GetState() == responsev1.Response_STATE_RUNNING
		})
		return send(all())
	})
	if _, err := w.generate(t.Context(), whole("resp_1")); err != nil {
		t.Fatal(err)
	}
	if got := store.counts(); got != [3]int32{1, 0, 1} {
		t.Errorf("begun, added, finished %v", got)
	}
}

func TestEndWithoutRowThatCannotBeStored(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Hour)
	w.model.plays(says(all()))
	store.broken.Store(3)
	chunks, err := w.generate(t.Context(), whole("resp_1"))
	equal(t, show(chunks)+reason(err), "STORE_UNAVAILABLE")
	eventually(t, "a row with the answer", func() bool {
		resp, err := w.caller.GetResponse(t.Context(), &responsev1.GetResponseRequest{ResponseId: "resp_1"})
		return err == nil && resp.GetResponse().GetState() == responsev1.Response_STATE_COMPLETED
	})
}

func TestCancelledBeforeItsRow(t *testing.T) {
	t.Parallel()
	w, store := delayed(t, time.Hour)
	w.model.plays(func(ctx context.Context, _ *gptv1.GenerateRequest, _ func(*conversationv1.Chunk) error) error {
		go w.caller.CancelResponse(t.Context(), &responsev1.CancelResponseRequest{ResponseId: "resp_1"})
		<-ctx.Done()
		return ctx.Err()
	})
	_, err := w.generate(t.Context(), whole("resp_1"))
	equal(t, reason(err), "CANCELLED")
	if state := w.get("resp_1").GetState(); state != responsev1.Response_STATE_CANCELLED {
		t.Errorf("state %v", state)
	}
	if got := store.counts(); got != [3]int32{0, 1, 0} {
		t.Errorf("begun, added, finished %v", got)
	}
}

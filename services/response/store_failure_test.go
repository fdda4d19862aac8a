package response

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// brokenStore cannot commit some writes.
type brokenStore struct {
	store.Store
	begins, finishes atomic.Int32 // how many fail
	journals         atomic.Bool  // all fail
}

func (s *brokenStore) Journal(ctx context.Context, pieces []store.Piece) error {
	if s.journals.Load() {
		return groupcommit.ErrAborted
	}
	return s.Store.Journal(ctx, pieces)
}

func (s *brokenStore) Begin(ctx context.Context, r *responsev1.Response, instance string) error {
	if s.begins.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	return s.Store.Begin(ctx, r, instance)
}

func (s *brokenStore) Finish(ctx context.Context, f store.Final) error {
	if s.finishes.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	return s.Store.Finish(ctx, f)
}

// TestStoreFails: what cannot be committed is not acknowledged, and the row
// comes to say so.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), nil)
	broken := &brokenStore{Store: w.Service.store}
	w.Service.store = broken // before Start: nothing else uses it yet
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.newSession("s1")
	ask := func(id string) *responsev1.GenerateRequest {
		return &responsev1.GenerateRequest{ResponseId: id, SessionId: "s1", NewMessages: []*conversationv1.Message{user("hi")}}
	}

	broken.begins.Store(1)
	chunks, err := w.generate(t.Context(), ask("resp_1"))
	equal(t, show(chunks)+reason(err), "STORE_UNAVAILABLE")

	broken.finishes.Store(3)
	chunks, err = w.generate(t.Context(), ask("resp_2"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "1:^Hel 2:lo 3:!STORE_UNAVAILABLE")
	equal(t, w.story("s1"), "")
	// The provider was paid: what it gave is kept, and given to whoever asks again.
	eventually(t, "the row has it", func() bool { return w.get("resp_2").GetState() == responsev1.Response_STATE_COMPLETED })
	eventually(t, "so has the session", func() bool { return w.story("s1") == "USER:hi ASSISTANT:Hello" })
	watched, err := w.watch(t.Context(), "resp_2", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(watched), "1:^Hel 2:lo 3:.#$")

	chunks, err = w.generate(t.Context(), ask("resp_3"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, show(chunks), "1:^Hel 2:lo 3:.#$")
	equal(t, w.story("s1"), "USER:hi ASSISTANT:Hello USER:hi ASSISTANT:Hello")
}

// lostStore makes the commit of a row whose answer is lost, or does not make it.
type lostStore struct {
	store.Store
	made bool
}

func (s *lostStore) Begin(ctx context.Context, r *responsev1.Response, instance string) error {
	if s.made {
		if err := s.Store.Begin(ctx, r, instance); err != nil {
			return err
		}
	}
	return groupcommit.ErrAborted
}

// TestLostCommit: an answer whose row may or may not be there comes to its end in the
// store, whether its client saw it or not.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		w := configure(t, t.TempDir()+"/response.db", newSessions(), func(c *Config) { c.RowDelay = 0 })
		w.Service.store = &lostStore{Store: w.Service.store, made: made} // before Start: nothing else uses it yet
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.newSession("s1")
		for id, stream := range map[string]bool{"resp_1": true, "resp_2": false} {
			w.model.plays(func(_ context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
				// The row's write has been made by now, on this goroutine.
				if over, err := w.runningHere("local", id).begun.Wait(t.Context()); !over || err == nil {
					t.Errorf("the row was not tried: %t %v", over, err)
				}
				return send(all())
			})
			req := whole(id)
			req.Turn.Stream, req.SessionId, req.NewMessages = stream, "s1", []*conversationv1.Message{user("hi")}
			chunks, err := w.generate(t.Context(), req)
			if got := show(chunks) + reason(err); !strings.Contains(got, "STORE_UNAVAILABLE") {
				t.Errorf("the client was told %s", got)
			}
			eventually(t, "its row has ended", func() bool {
				record, err := w.Service.store.Get(t.Context(), "local", id)
				return err == nil && record.Response.GetState() == responsev1.Response_STATE_COMPLETED
			})
		}
		eventually(t, "so has the session", func() bool { return w.story("s1") == "USER:hi ASSISTANT:Hello USER:hi ASSISTANT:Hello" })
	}
}

// refusingStore refuses the first rows that are begun or added.
type refusingStore struct {
	store.Store
	writes atomic.Int32  // how many
	looked chan struct{} // gets a signal when what was left is looked for
}

func (s *refusingStore) Pending(ctx context.Context, before time.Time, limit int) ([]store.Intent, error) {
	select {
	case s.looked <- struct{}{}:
	default:
	}
	return s.Store.Pending(ctx, before, limit)
}

func (s *refusingStore) Begin(ctx context.Context, r *responsev1.Response, instance string) error {
	if s.writes.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	return s.Store.Begin(ctx, r, instance)
}

func (s *refusingStore) Add(ctx context.Context, f store.Final, instance string) error {
	if s.writes.Add(-1) >= 0 {
		return groupcommit.ErrAborted
	}
	return s.Store.Add(ctx, f, instance)
}

// An answer that does not know whether it has a row ends no other that has begun one
// under its id since.
func TestUnsureEndOfAnother(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), func(c *Config) { c.RetryInterval = time.Hour })
	refusing := &refusingStore{Store: w.Service.store, looked: make(chan struct{}, 1)}
	refusing.writes.Store(1)
	w.Service.store = refusing // before Start: nothing else uses it yet
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-refusing.looked // else the first round could store the end
	chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
	equal(t, show(chunks)+reason(err), "STORE_UNAVAILABLE")

	step := make(chan struct{})
	w.model.plays(steps(step))
	over := make(chan string, 1)
	go func() {
		chunks, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
		over <- show(chunks) + reason(err)
	}()
	for range 2 { // once the second is taken its first chunk has gone out: its row is there
		select {
		case step <- struct{}{}:
		case got := <-over:
			t.Fatal("it has ended:", got)
		}
	}
	w.saveLeft()
	equal(t, w.get("resp_1").GetState().String(), "STATE_RUNNING")
	close(step)
	equal(t, <-over, "1:^{0} 2:{1} 3:{2} 4:#${.}")
	equal(t, w.get("resp_1").GetChoices()[0].GetMessage().GetParts()[0].GetText(), "012")
}

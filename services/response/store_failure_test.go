package response

import (
	"context"
	"sync/atomic"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
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

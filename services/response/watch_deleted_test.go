package response

import (
	"context"
	"testing"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// deletingStore deletes an answer between two looks at it.
type deletingStore struct {
	store.Store
	looks int
}

func (s *deletingStore) look(ctx context.Context, id string) error {
	if s.looks++; s.looks == 2 {
		return s.Delete(ctx, "local", id)
	}
	return nil
}

func (s *deletingStore) Get(ctx context.Context, owner, id string) (store.Record, error) {
	if err := s.look(ctx, id); err != nil {
		return store.Record{}, err
	}
	return s.Store.Get(ctx, owner, id)
}

func (s *deletingStore) Log(ctx context.Context, id string) ([]byte, error) {
	if err := s.look(ctx, id); err != nil {
		return nil, err
	}
	return s.Store.Log(ctx, id)
}

// TestWatchOfADeletedAnswer: an answer that is deleted while a watcher looks at it is not there.
func TestWatchOfADeletedAnswer(t *testing.T) {
	t.Parallel()
	w := configure(t, t.TempDir()+"/response.db", newSessions(), nil)
	deleting := &deletingStore{Store: w.Service.store}
	w.Service.store = deleting // before Start: nothing else uses it yet
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.watch(t.Context(), "resp_1", 0, 0)
	equal(t, reason(err), "RESPONSE_NOT_FOUND")
}

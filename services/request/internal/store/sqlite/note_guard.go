package sqlite

import (
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
)

// NoteGuard implements store.Store. What is put together by || is text, whatever it is
// made of.
func (s *Store) NoteGuard(ctx context.Context, id string, report *conversationv1.GuardReport) error {
	part, err := store.GuardPart(report)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, "update requests set body = cast(body || ? as blob) where id = ? and state > 2", part, id)
	return err
}

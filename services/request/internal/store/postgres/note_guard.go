package postgres

import (
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
)

// NoteGuard implements store.Store.
func (s *Store) NoteGuard(ctx context.Context, id string, report *conversationv1.GuardReport) error {
	part, err := store.GuardPart(report)
	if err != nil {
		return err
	}
	_, err = s.db.Pool().Exec(ctx, "update requests set body = body || $1 where id = $2 and state > 2", part, id)
	return err
}

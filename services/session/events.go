package session

import (
	"context"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/protobuf/proto"
)

// write is store.Write for changes that are told: fn says which by tell.
func (s *Service) write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if s.events != nil {
		ctx = outbox.Open(ctx)
	}
	return s.store.Write(ctx, fn)
}

// tell says, with the transaction's commit, what became of a session.
func (s *Service) tell(ctx context.Context, held *store.Session, kind string, payload func() proto.Message) {
	if s.events == nil {
		return
	}
	call := callctx.From(ctx)
	if call.RequestID == "" { // a sweep
		call.RequestID = held.ID
		ctx = callctx.With(ctx, call)
	}
	outbox.Add(ctx, s.events.Record(ctx, events.Draft{Type: kind, Owner: held.Owner, Key: held.ID, Payload: payload()}))
}

func (s *Service) tellCreated(ctx context.Context, held *store.Session) {
	s.tell(ctx, held, "session.created", func() proto.Message {
		return &sessionv1.SessionCreated{
			SessionId: held.ID, UserId: held.UserID, MessageCount: held.MessageCount, ForkedFromSessionId: held.ForkedFromSession,
		}
	})
}

func (s *Service) tellUpdated(ctx context.Context, held *store.Session, add store.Addition) {
	s.tell(ctx, held, "session.updated", func() proto.Message {
		updated := &sessionv1.SessionUpdated{SessionId: held.ID, Version: held.Version, MessageCount: held.MessageCount}
		for _, m := range add.Messages {
			updated.MessageIds = append(updated.MessageIds, m.ID)
		}
		return updated
	})
}

func (s *Service) tellEnded(ctx context.Context, held *store.Session) {
	s.tell(ctx, held, "session.ended", func() proto.Message {
		return &sessionv1.SessionEnded{SessionId: held.ID, State: sessionv1.Session_State(held.State), Version: held.Version}
	})
}

func (s *Service) tellDeleted(ctx context.Context, held *store.Session) {
	s.tell(ctx, held, "session.ended", func() proto.Message {
		return &sessionv1.SessionEnded{SessionId: held.ID, Deleted: true, Version: held.Version + 1}
	})
}

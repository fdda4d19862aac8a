package session

import (
	"context"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/session/internal/message"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// AppendMessages adds messages; see the contract. A call whose messages are all
// there succeeds also after the session has ended.
func (s *Service) AppendMessages(ctx context.Context, req *sessionv1.AppendMessagesRequest) (*sessionv1.AppendMessagesResponse, error) {
	now, id := s.now(), req.GetSessionId()
	if len(req.GetMessages()) == 0 {
		return nil, fault.InvalidField("messages", "must hold at least one message")
	}
	batch, err := s.prepare(req.GetMessages(), now)
	if err != nil {
		return nil, err
	}
	var chosen []string // ids that may be there already
	for _, m := range req.GetMessages() {
		if m.GetId() != "" {
			chosen = append(chosen, m.GetId())
		}
	}
	var session *store.Session
	var result []*conversationv1.Message
	stored := 0
	err = s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		held, err := s.hold(ctx, tx, id, now)
		if err != nil {
			return err
		}
		session = held
		var present map[string]*store.Message
		if len(chosen) > 0 {
			if present, err = tx.MessagesByID(ctx, held.Key, chosen); err != nil {
				return err
			}
		}
		if anyNew(batch, present) {
			if held.State != store.Active {
				return refuse.Ended(id, sessionv1.Session_State(held.State))
			}
			if want := req.GetExpectedVersion(); want != 0 && want != held.Version {
				return refuse.VersionConflict(want, held.Version)
			}
		}
		var add store.Addition
		if result, add, err = s.place(held, batch, present, now); err != nil {
			return err
		}
		if stored = len(add.Messages); stored == 0 {
			return nil
		}
		s.tellUpdated(ctx, held, add)
		return tx.Save(ctx, held, add)
	})
	if err != nil {
		return nil, failedFor(id, err)
	}
	if stored > 0 {
		s.watchers.notify(session.Key)
	}
	s.metrics.messages.WithLabelValues("stored").Add(float64(stored))
	s.metrics.messages.WithLabelValues("repeated").Add(float64(len(result) - stored))
	s.asOf(session, now)
	return &sessionv1.AppendMessagesResponse{Messages: result, Session: view(session, now)}, nil
}

func anyNew(batch []prepared, present map[string]*store.Message) bool {
	for _, p := range batch {
		if present[p.record.ID] == nil {
			return true
		}
	}
	return false
}

// place gives the messages that are not present, by id, the next positions of a
// session and one new version, and moves the session on if there are any. It
// returns all messages as stored, in the order of the batch, and what to write.
func (s *Service) place(session *store.Session, batch []prepared, present map[string]*store.Message, now time.Time) ([]*conversationv1.Message, store.Addition, error) {
	result := make([]*conversationv1.Message, len(batch))
	var add store.Addition
	fresh := map[string]*conversationv1.Message{}
	version, first := session.Version+1, session.MessageCount+1
	for i, p := range batch {
		if m := fresh[p.record.ID]; m != nil {
			result[i] = m
			continue
		}
		if there := present[p.record.ID]; there != nil {
			m, err := message.Decode(there)
			if err != nil {
				return nil, add, err
			}
			result[i], fresh[p.record.ID] = m, m
			continue
		}
		session.MessageCount++
		p.record.Position, p.record.Version, p.record.CreateTime = session.MessageCount, version, now
		add.Messages = append(add.Messages, p.record)
		result[i] = message.Place(p.message, p.record)
		fresh[p.record.ID] = result[i]
	}
	if len(add.Messages) > 0 {
		if session.MessageCount > int64(s.cfg.MaxMessages) {
			return nil, add, sessionFull(s.cfg.MaxMessages)
		}
		session.Version, session.UpdateTime, session.LastActiveTime = version, now, later(now, session.LastActiveTime)
		add.Changes = []store.Change{{Version: version, Kind: store.Appended, First: first, Last: session.MessageCount}}
	}
	return result, add, nil
}

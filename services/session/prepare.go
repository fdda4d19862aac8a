package session

import (
	"fmt"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/session/internal/message"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// prepared is a message that keeps the rules and is ready to be stored.
type prepared struct {
	message *conversationv1.Message
	record  *store.Message
}

// prepare checks messages and gives ids to those without.
func (s *Service) prepare(messages []*conversationv1.Message, now time.Time) ([]prepared, error) {
	list := make([]prepared, len(messages))
	for i, m := range messages {
		if problem := message.Check(m); problem != nil {
			return nil, fault.InvalidField(fmt.Sprintf("messages[%d].%s", i, problem.Field), problem.Description)
		}
		id := m.GetId()
		if id == "" {
			id = ids.At("msg", now)
		}
		kept := message.New(m, id)
		record, err := message.Encode(kept)
		if err != nil {
			return nil, fault.InvalidField(fmt.Sprintf("messages[%d]", i), "holds text that is not UTF-8")
		}
		if len(record.Body) > s.cfg.MaxMessageBytes {
			return nil, tooLarge(fmt.Sprintf("messages[%d]", i),
				fmt.Sprintf("%d bytes, at most %d are allowed", len(record.Body), s.cfg.MaxMessageBytes), s.cfg.MaxMessageBytes)
		}
		list[i] = prepared{message: kept, record: record}
	}
	return list, nil
}

// checkFields checks what clients may set of a session and is not for the
// contract's own rules. Fields not set are fine.
func (s *Service) checkFields(fields *sessionv1.Session, now time.Time) error {
	if err := fault.CheckTexts("session.title", fields.GetTitle()); err != nil {
		return err
	}
	for key, value := range fields.GetPreferences().GetFields() {
		if value.GetKind() == nil {
			return fault.InvalidField("session.preferences."+key, "has no value")
		}
	}
	if err := checkIdleTimeout(fields.GetIdleTimeout()); err != nil {
		return err
	}
	return checkExpireTime(fields.GetExpireTime(), now)
}

// checkDetails checks preferences and metadata as they would be stored.
func (s *Service) checkDetails(fields *sessionv1.Session) error {
	if _, err := proto.Marshal(&sessionv1.Session{Metadata: fields.GetMetadata()}); err != nil {
		return fault.InvalidField("session.metadata", "holds text that is not UTF-8")
	}
	if _, err := proto.Marshal(fields.GetPreferences()); err != nil {
		return fault.InvalidField("session.preferences", "holds text that is not UTF-8")
	}
	if size := proto.Size(fields.GetPreferences()); size > s.cfg.MaxPreferencesBytes {
		return tooLarge("session.preferences",
			fmt.Sprintf("%d bytes, at most %d are allowed", size, s.cfg.MaxPreferencesBytes), s.cfg.MaxPreferencesBytes)
	}
	return nil
}

func checkIdleTimeout(d *durationpb.Duration) error {
	if d == nil {
		return nil
	}
	if d.CheckValid() != nil || d.AsDuration() < time.Microsecond {
		return fault.InvalidField("session.idle_timeout", "must be a microsecond or more")
	}
	return nil
}

func checkExpireTime(t *timestamppb.Timestamp, now time.Time) error {
	if t == nil {
		return nil
	}
	if t.CheckValid() != nil || !t.AsTime().Truncate(time.Microsecond).After(now) {
		return fault.InvalidField("session.expire_time", "must lie in the future")
	}
	return nil
}

// idleTimeout returns what is asked for, or the default.
func (s *Service) idleTimeout(asked *durationpb.Duration) time.Duration {
	if asked == nil {
		return s.cfg.IdleTimeout.Truncate(time.Microsecond)
	}
	return asked.AsDuration().Truncate(time.Microsecond)
}

// expireTime returns what is asked for, or the default for a session made then.
func (s *Service) expireTime(asked *timestamppb.Timestamp, created time.Time) time.Time {
	if asked == nil {
		return created.Add(s.cfg.Lifetime).Truncate(time.Microsecond)
	}
	return asked.AsTime().Truncate(time.Microsecond)
}

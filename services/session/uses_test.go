package session

import (
	"context"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// touched is a store that takes uses.
type touched struct {
	store.Store
	uses []store.Use
}

func (s *touched) Touch(_ context.Context, uses []store.Use) error {
	s.uses = append(s.uses, uses...)
	return nil
}

// A session that was read just before its use was written does not tell of it: the
// use is known for one write more.
func TestUseIsKnownWhileItIsWritten(t *testing.T) {
	t.Parallel()
	s := &touched{}
	u := newUses(s)
	at := time.UnixMicro(1)
	u.note(1, at)
	for _, want := range []time.Time{at, at, {}} {
		if got := u.last(1); !got.Equal(want) {
			t.Errorf("%v, want %v", got, want)
		}
		if err := u.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		u.note(2, at)
	}
	if len(s.uses) != 3 || s.uses[0] != (store.Use{Key: 1, At: at}) {
		t.Errorf("%v", s.uses)
	}
}

// slow is a store that is slow to return a session: two writes of uses come meanwhile.
type slow struct {
	store.Store
	stored    time.Time
	meanwhile func()
}

func (s *slow) Session(_ context.Context, _, id string) (*store.Session, error) {
	session := &store.Session{Key: 1, ID: id, State: store.Active, ExpireTime: time.UnixMicro(100), LastActiveTime: s.stored}
	if meanwhile := s.meanwhile; meanwhile != nil {
		s.meanwhile = nil
		meanwhile()
	}
	return session, nil
}

// A session that took so long to read that its use was forgotten meanwhile is read again.
func TestUseIsKnownAfterASlowRead(t *testing.T) {
	t.Parallel()
	u := newUses(&touched{})
	reading := &slow{stored: time.UnixMicro(1)}
	s := &Service{store: reading, uses: u}
	used := time.UnixMicro(2)
	u.note(1, used)
	reading.meanwhile = func() {
		for range 2 {
			if err := u.flush(t.Context()); err != nil {
				t.Error(err)
			}
			u.note(2, used)
		}
		reading.stored = used
	}
	session, err := s.read(t.Context(), "s", used)
	if err != nil || !session.LastActiveTime.Equal(used) {
		t.Errorf("%+v, %v", session, err)
	}
}

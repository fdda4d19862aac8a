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

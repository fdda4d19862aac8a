package session

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

const (
	// maxPendingUses bounds what waits to be written; further sessions' uses
	// are not noted until there is room.
	maxPendingUses = 8192
	// usePause is the pause after each write, so that many uses share one.
	usePause = 50 * time.Millisecond
	// useRetry is the pause after a write that failed.
	useRetry = time.Second
)

// uses notes when sessions were read for a turn and writes that down beside
// the turn, so that no model call waits for it. It is safe for concurrent use.
type uses struct {
	store store.Store
	kick  chan struct{} // holds one token while there is something to write

	mu      sync.Mutex
	pending map[int64]time.Time
	// written are those that the last flush wrote: who read a session just before
	// does not know of them from there.
	written map[int64]time.Time
	flushes atomic.Int64 // how often written was replaced; changed under mu

	writing sync.Mutex // held by flush
}

func newUses(s store.Store) *uses {
	return &uses{store: s, kick: make(chan struct{}, 1), pending: map[int64]time.Time{}}
}

// note remembers a use.
func (u *uses) note(key int64, at time.Time) {
	u.mu.Lock()
	if old, found := u.pending[key]; (found && old.Before(at)) || (!found && len(u.pending) < maxPendingUses) {
		u.pending[key] = at
	}
	u.mu.Unlock()
	u.wake()
}

// last returns the last use that a session may not tell that was read since the
// flush before the last one; zero if none.
func (u *uses) last(key int64) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at, found := u.pending[key]; found {
		return at
	}
	return u.written[key]
}

// flush writes what was noted before the call.
func (u *uses) flush(ctx context.Context) error {
	u.writing.Lock()
	defer u.writing.Unlock()
	u.mu.Lock()
	list := make([]store.Use, 0, len(u.pending))
	for key, at := range u.pending {
		list = append(list, store.Use{Key: key, At: at})
	}
	u.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	if err := u.store.Touch(ctx, list); err != nil {
		return failed(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.written = make(map[int64]time.Time, len(list))
	u.flushes.Add(1)
	for _, use := range list {
		u.written[use.Key] = use.At
		if u.pending[use.Key].Equal(use.At) {
			delete(u.pending, use.Key)
		}
	}
	return nil
}

// run writes uses as they come, until ctx is done.
func (u *uses) run(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.kick:
		}
		pause := usePause
		if err := u.flush(ctx); err != nil && ctx.Err() == nil {
			log.Warn("session uses not written", "error", err)
			pause = useRetry
			u.wake()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// wake lets run write again.
func (u *uses) wake() {
	select {
	case u.kick <- struct{}{}:
	default:
	}
}

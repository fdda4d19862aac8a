package session

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/grpc/codes"
)

// pollBatch is how many sessions one query of the poll asks for.
const pollBatch = 500

// watchers wakes those who watch sessions. It carries no changes: whoever is
// woken reads the log. It is safe for concurrent use.
type watchers struct {
	limit   int
	metrics *metrics
	closed  chan struct{} // closed by close

	mu    sync.Mutex
	byKey map[int64][]*watcher
	count int
	ended bool
}

// watcher is one WatchSession call.
type watcher struct {
	key int64
	// wake holds one token when there may be something new.
	wake chan struct{}
	// version is the last that the watcher has read.
	version atomic.Int64
}

func newWatchers(limit int, m *metrics) *watchers {
	return &watchers{limit: limit, metrics: m, closed: make(chan struct{}), byKey: map[int64][]*watcher{}}
}

// add begins to wake a new watcher of a session.
func (w *watchers) add(key int64) (*watcher, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil, shuttingDown()
	}
	if w.count >= w.limit {
		return nil, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED,
			"too many watchers", "room", room).WithRetryAfter(watchRetry)
	}
	added := &watcher{key: key, wake: make(chan struct{}, 1)}
	w.byKey[key] = append(w.byKey[key], added)
	w.count++
	w.metrics.watchers.Inc()
	return added, nil
}

func (w *watchers) remove(gone *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := slices.DeleteFunc(w.byKey[gone.key], func(x *watcher) bool { return x == gone })
	if len(left) == 0 {
		delete(w.byKey, gone.key)
	} else {
		w.byKey[gone.key] = left
	}
	w.count--
	w.metrics.watchers.Dec()
}

// notify wakes the watchers of a session.
func (w *watchers) notify(key int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, watcher := range w.byKey[key] {
		watcher.poke()
	}
}

func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// poll wakes watchers of sessions that changed or are gone in the store.
func (w *watchers) poll(ctx context.Context, s store.Store) error {
	w.mu.Lock()
	keys := make([]int64, 0, len(w.byKey))
	for key := range w.byKey {
		keys = append(keys, key)
	}
	w.mu.Unlock()
	for batch := range slices.Chunk(keys, pollBatch) {
		versions, err := s.Versions(ctx, batch)
		if err != nil {
			return err
		}
		w.mu.Lock()
		for _, key := range batch {
			version, found := versions[key]
			for _, watcher := range w.byKey[key] {
				if !found || version > watcher.version.Load() {
					watcher.poke()
				}
			}
		}
		w.mu.Unlock()
	}
	return nil
}

// close ends all watchers. It may be called more than once.
func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended = true
		close(w.closed)
	}
}

// over says that watchers are told to leave.
func (w *watchers) over() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

package classifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store/sqlite"
)

// Learning serves classifierv1.LearningService. It is safe for concurrent use.
type Learning struct {
	classifierv1.UnsafeLearningServiceServer // every RPC must be there

	cfg     LearningConfig
	heads   *heads
	store   *store.Store
	shared  bool              // other processes use the store too
	events  *events.Recorder  // nil tells nothing
	tasks   events.Subscriber // nil where none come
	clock   func() time.Time
	log     *slog.Logger
	metrics *learningMetrics

	reloading sync.Mutex // one reload at a time
	revision  int64      // of the lineup that answers; guarded by reloading

	begins chan struct{} // held by the call that reads what a training works from

	mu       sync.Mutex
	training *training // the run of this process, nil without
	closed   bool

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup
}

var _ classifierv1.LearningServiceServer = (*Learning)(nil)

// newLearning makes the half of the room that learns; nil where there is no
// store.
func newLearning(cfg LearningConfig, deps Deps, h *heads, clock func() time.Time, log *slog.Logger) (*Learning, error) {
	l := &Learning{
		cfg: cfg, heads: h, events: deps.Events, tasks: deps.Subscriber, clock: clock, log: log,
		begins: make(chan struct{}, 1),
	}
	switch {
	case deps.SQLite != nil && deps.Postgres != nil:
		return nil, errors.New("classifier: at most one of the stores SQLite and Postgres may be given")
	case deps.SQLite != nil:
		l.store = sqlite.New(deps.SQLite)
	case deps.Postgres != nil:
		l.store, l.shared = postgres.New(deps.Postgres), true
	default:
		return nil, nil
	}
	var err error
	if l.metrics, err = newLearningMetrics(deps.Metrics); err != nil {
		return nil, fmt.Errorf("classifier: metrics: %w", err)
	}
	l.life, l.end = context.WithCancel(context.Background())
	return l, nil
}

// start puts the stored versions in place and begins the background work.
func (l *Learning) start(ctx context.Context) error {
	if err := l.reload(ctx); err != nil {
		return fmt.Errorf("classifier: the active model versions: %w", err)
	}
	if l.shared {
		l.work.Go(func() { l.every(l.cfg.RefreshInterval, "refresh", l.refresh) })
	}
	l.work.Go(func() { l.every(l.cfg.CheckInterval, "check", l.check) })
	if l.tasks != nil && l.cfg.TaskEvents {
		l.work.Go(l.consume)
	}
	return nil
}

// every calls work at an interval until the room closes. Failures are logged,
// the next round tries again.
func (l *Learning) every(interval time.Duration, name string, work func(context.Context) error) {
	lifecycle.Every(l.life, interval, func(ctx context.Context) {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("classifier "+name+" failed", "error", err)
		}
	})
}

// close ends the background work, a training included, and waits for it. The
// store must still be open.
func (l *Learning) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end()
	l.work.Wait()
}

// mostHeads is how many heads there may be for a row of this one to come in: those
// that the mesh acts on are always among them.
func (l *Learning) mostHeads(head string) int {
	if headName(head) == head {
		return math.MaxInt
	}
	return l.cfg.MaxHeads
}

// storeFault is what a client sees of an error of a store that adds a row.
func (l *Learning) storeFault(err error) error {
	if errors.Is(err, store.ErrTooManyHeads) {
		return fault.InvalidField("head", fmt.Sprintf("there are %d heads already, which is the most (classifier.learning.max_heads)", l.cfg.MaxHeads))
	}
	return storeFault(err, nil)
}

// now is the time as all stores keep it.
func (l *Learning) now() time.Time { return l.clock().UTC().Truncate(time.Microsecond) }

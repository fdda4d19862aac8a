package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/gptmesh/gptmesh/services/session/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/session/internal/store/sqlite"
	"google.golang.org/grpc"
)

// Service is the session room. It is safe for concurrent use.
type Service struct {
	sessionv1.UnsafeSessionServiceServer // every RPC must be there

	cfg      Config
	store    store.Store
	clock    func() time.Time
	log      *slog.Logger
	events   *events.Recorder // nil tells nothing
	metrics  *metrics
	uses     *uses
	watchers *watchers

	stop    context.CancelFunc // nil before Start
	running sync.WaitGroup
}

var _ sessionv1.SessionServiceServer = (*Service)(nil)

// New makes the room. It does not migrate the store.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, clock: deps.Clock, log: deps.Logger, events: deps.Events}
	switch {
	case deps.SQLite != nil && deps.Postgres == nil && deps.SQLite.Journaled():
		s.store = sqlite.NewSole(deps.SQLite)
	case deps.SQLite != nil && deps.Postgres == nil:
		s.store = sqlite.New(deps.SQLite)
	case deps.Postgres != nil && deps.SQLite == nil:
		s.store = postgres.New(deps.Postgres)
	default:
		return nil, errors.New("session: exactly one of the stores SQLite and Postgres must be given")
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.metrics, err = newMetrics(deps.Metrics); err != nil {
		return nil, fmt.Errorf("session: metrics: %w", err)
	}
	s.uses = newUses(s.store)
	s.watchers = newWatchers(cfg.MaxWatchers, s.metrics)
	return s, nil
}

// Migrations returns what the room's stores need, for the command to apply.
func Migrations() (sqliteFS, postgresFS fs.FS) { return sqlite.Migrations(), postgres.Migrations() }

// Register adds the room's service to a server.
func (s *Service) Register(server grpc.ServiceRegistrar) {
	sessionv1.RegisterSessionServiceServer(server, s)
}

// Start begins the background work, which lives until Close: it writes down
// uses and expirations, and wakes watchers of what other processes change. To
// be called once.
func (s *Service) Start(context.Context) error {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.uses.run(ctx, s.log) })
	s.running.Go(func() { s.every(ctx, s.cfg.SweepInterval, "sweep", s.sweep) })
	s.running.Go(func() {
		s.every(ctx, s.cfg.PollInterval, "poll", func(ctx context.Context) error { return s.watchers.poll(ctx, s.store) })
	})
	return nil
}

// every calls work at an interval until ctx is done. Failures are logged, the
// next round tries again.
func (s *Service) every(ctx context.Context, interval time.Duration, name string, work func(context.Context) error) {
	lifecycle.Every(ctx, interval, func(ctx context.Context) {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("session "+name+" failed", "error", err)
		}
	})
}

// Ready says why the room cannot serve now, or nil.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ping(ctx) }

// Drain ends all WatchSession calls with SHUTTING_DOWN, refuses new ones, and
// writes down what was used. Other calls are served until the process stops:
// they are short, and the rooms that end their work store their last messages
// here.
func (s *Service) Drain(ctx context.Context) error {
	s.watchers.close()
	return s.uses.flush(ctx)
}

// closeTimeout bounds the last write of uses.
const closeTimeout = 5 * time.Second

// Close ends the background work and waits for it. The store must still be
// open.
func (s *Service) Close() error {
	s.watchers.close()
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return s.uses.flush(ctx)
}

// now is the time as all stores keep it.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

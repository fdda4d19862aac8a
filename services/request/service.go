package request

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/deferred"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/stacks"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/request/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/request/internal/store/sqlite"
	"google.golang.org/grpc"
)

// Service is the room. Its methods may be called by any number of goroutines.
type Service struct {
	requestv1.UnimplementedRequestServiceServer
	requestv1.UnimplementedRoutingServiceServer

	cfg      Config
	deps     Deps
	store    store.Store
	routes   store.Routing
	router   *router
	shared   bool // other processes use the store too
	metrics  *metrics
	instance string

	life  context.Context // ends with Close
	end   context.CancelFunc
	work  sync.WaitGroup // goroutines of the room
	spawn func(func())   // work.Go

	limits scope.Deadlines // of requests
	stacks stacks.Pool     // for rows of streams

	rows     *deferred.Queue // of requests that are written with their end
	flags    allowance       // of turns that the guard looks at beside their answer
	screened atomic.Bool     // the classifier has answered

	ended   *endedSessions  // sessions
	unsaved chan unsavedEnd // final states that could not be stored
	open    chan openEnd    // requests whose answers' ends are not known yet

	mu       sync.Mutex
	running  map[string]*run
	detached int
	draining bool
	idle     chan struct{} // closed when draining and nothing runs
}

// unsavedEnd is a final state on its way into the store.
type unsavedEnd struct {
	request  *requestv1.Request
	answered bool
	whole    bool // there is no row yet
}

// Migrations make the room's tables.
func Migrations() (forSQLite, forPostgres fs.FS) { return sqlite.Migrations, postgres.Migrations }

// New makes the room. Start must be called before the first call, Close after
// the last.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if err := deps.check(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, deps: deps, instance: ids.New(deps.Instance), running: map[string]*run{},
		rows:  deferred.NewQueue(cfg.RowDelay),
		ended: newEndedSessions(), unsaved: make(chan unsavedEnd, 1024), open: make(chan openEnd, 1024), idle: make(chan struct{}),
	}
	if deps.SQLite != nil {
		db := sqlite.New(deps.SQLite)
		s.store, s.routes = db, db
	} else {
		db := postgres.New(deps.Postgres)
		s.store, s.routes, s.shared = db, db, true
	}
	s.spawn = s.work.Go
	var err error
	if s.router, err = newRouter(cfg, deps.Seed); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if s.metrics, err = newMetrics(deps.Metrics, s.runningCount); err != nil {
		return nil, fmt.Errorf("request: metrics: %w", err)
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Register adds the service to a server.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	requestv1.RegisterRequestServiceServer(r, s)
	requestv1.RegisterRoutingServiceServer(r, s)
}

// Ready says whether the room can serve.
func (s *Service) Ready(ctx context.Context) error {
	s.mu.Lock()
	draining := s.draining
	s.mu.Unlock()
	if draining {
		return shuttingDown()
	}
	return storeFault(s.store.Ping(ctx), "")
}

// Drain admits no new turns and waits for those that run. When ctx is done,
// each that still runs ends with the terminal event INTERRUPTED; Drain returns
// when they have. An answer that runs on without its client is left to the
// response room; the next sweep of some process finishes its row.
func (s *Service) Drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		if len(s.running) == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for _, r := range s.running {
		r.reins.Cancel(lifecycle.ErrStopping)
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-time.After(s.cfg.StoreTimeout + s.cfg.SessionTimeout):
		return fmt.Errorf("request: %d requests did not end", int(s.runningCount()))
	}
}

// Close ends what runs and the room's goroutines, and waits for them.
func (s *Service) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.Drain(ctx)
	s.end()
	s.work.Wait()
	s.stacks.Close()
	return err
}

// register takes a request in, or says why not.
func (s *Service) register(r *run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return shuttingDown()
	case len(s.running) >= s.cfg.MaxRunning:
		return overloaded("too many requests are being handled")
	case r.request.GetDetached() && s.detached >= s.cfg.MaxDetached:
		return overloaded("too many detached requests are being handled")
	}
	if r.request.GetDetached() {
		s.detached++
	}
	s.running[r.id] = r
	return nil
}

// dismiss takes a request out when it has ended.
func (s *Service) dismiss(r *run) {
	r.observed()
	r.done.Open()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, r.id)
	if r.request.GetDetached() {
		s.detached--
	}
	if s.draining && len(s.running) == 0 {
		close(s.idle)
	}
}

// runningHere finds a request of owner that this process handles, or nil.
func (s *Service) runningHere(owner, id string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[id]; r != nil && r.owner == owner {
		return r
	}
	return nil
}

func (s *Service) runningCount() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(len(s.running))
}

// Why a run is cancelled other than by its own context. Rooms in this process
// see the cause, those behind a wire a plain cancellation: both read the same.
var (
	errCancelled = fmt.Errorf("somebody cancelled the request: %w", context.Canceled)
	errDeserted  = fmt.Errorf("everybody who followed the answer has left: %w", context.Canceled)
)

package response

import (
	"context"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/deferred"
	"github.com/gptmesh/gptmesh/pkg/gate"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/stacks"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/gptmesh/gptmesh/services/response/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/response/internal/store/sqlite"
	"google.golang.org/grpc"
)

// Service is the room. Its methods may be called by any number of goroutines.
type Service struct {
	responsev1.UnimplementedResponseServiceServer

	cfg      Config
	deps     Deps
	store    store.Store
	shared   bool // other processes use the store too
	metrics  *metrics
	cache    *cache
	instance string

	life  context.Context // ends with Close
	end   context.CancelFunc
	work  sync.WaitGroup // goroutines of the room
	spawn func(func())   // work.Go

	settled  chan string // answers whose intent is done
	flagging allowance   // of answers that the guard looks at

	ends    chan struct{}   // has those who make and store the end of a stream; nil for any number
	waiting atomic.Int32    // how many wait to be of them
	gate    *gate.Gate      // for those of them who waited
	stacks  stacks.Pool     // for ends of streams
	unsaved chan *finishing // final rows that could not be committed
	rows    *deferred.Queue // of answers that are written with their end
	begun   chan struct{}   // a signal to the journal: an answer runs

	mu       sync.Mutex
	running  map[string]*run
	draining bool
	idle     chan struct{} // closed when draining and nothing runs

	storing sync.Mutex    // before mu: of how far unstored has come
	left    []store.Piece // of answers whose end could not be stored; guarded by it
}

// endsEach is how many streams have their ends made and stored at once where the store
// is embedded, for each processor. Making one takes several times the memory that its
// log does, and no time but the processor's, which the events of others wait for too.
const endsEach = 1

// Migrations make the room's tables.
func Migrations() (forSQLite, forPostgres fs.FS) { return sqlite.Migrations, postgres.Migrations }

// New makes the room. Start must be called before the first call, Close after
// the last.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	if err := deps.check(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, deps: deps, instance: ids.New(deps.Instance), running: map[string]*run{},
		settled: make(chan string, 1024), unsaved: make(chan *finishing, 1024), idle: make(chan struct{}),
		begun: make(chan struct{}, 1), rows: deferred.NewQueue(cfg.RowDelay),
	}
	if deps.SQLite != nil {
		s.store, s.ends = sqlite.New(deps.SQLite, s.unstored), make(chan struct{}, endsEach*runtime.GOMAXPROCS(0))
	} else {
		s.store, s.shared = postgres.New(deps.Postgres), true
	}
	s.spawn = s.work.Go
	var err error
	if s.metrics, err = newMetrics(deps.Metrics, s.runningCount); err != nil {
		return nil, fmt.Errorf("response: metrics: %w", err)
	}
	if s.cache, err = newCache(cfg.CacheMaxBytes, deps.Clock); err != nil {
		return nil, fmt.Errorf("response: cache: %w", err)
	}
	if s.gate, err = gate.New(gate.Config{Free: 1}); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Register adds the service to a server.
func (s *Service) Register(r grpc.ServiceRegistrar) { responsev1.RegisterResponseServiceServer(r, s) }

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

// Drain admits no new answers and waits for those that run. When ctx is done,
// each that still runs ends with the terminal event INTERRUPTED; Drain returns
// when they have.
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
	s.interruptAll()
	select {
	case <-s.idle:
		return nil
	case <-time.After(s.cfg.StoreTimeout + s.cfg.SessionTimeout):
		return fmt.Errorf("response: %d answers did not end", int(s.runningCount()))
	}
}

// Close ends what runs and the room's goroutines, and waits for them.
func (s *Service) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.Drain(ctx)
	s.end()
	s.work.Wait()
	s.gate.Close()
	s.stacks.Close()
	s.cache.close()
	return err
}

func (s *Service) interruptAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.running {
		r.reins.Cancel(lifecycle.ErrStopping)
	}
}

// admit takes an answer in, or says why not.
func (s *Service) admit(r *run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return shuttingDown()
	case len(s.running) >= s.cfg.MaxRunning:
		return overloaded()
	case s.running[r.id] != nil:
		return alreadyExists(r.id)
	}
	s.running[r.id] = r
	if len(s.running) == 1 {
		select {
		case s.begun <- struct{}{}:
		default:
		}
	}
	return nil
}

// dismiss takes an answer out when it has ended.
func (s *Service) dismiss(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, r.id)
	if !r.shared && r.users == 0 { // whoever reads it from now on finds the row
		r.log.Recycle()
		if r.plain != nil {
			plains.Put(r.plain)
			r.plain = nil
		}
	}
	if s.draining && len(s.running) == 0 {
		close(s.idle)
	}
}

// runningHere finds an answer of owner that this process makes, or nil.
func (s *Service) runningHere(owner, id string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[id]; r != nil && r.owner == owner {
		r.shared = true
		return r
	}
	return nil
}

func (s *Service) runningCount() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(len(s.running))
}

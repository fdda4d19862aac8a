package classifier

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/builtin"
	"github.com/gptmesh/gptmesh/services/classifier/internal/rules"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store/sqlite"
	"google.golang.org/grpc"
)

// Service is the classifier room. It is safe for concurrent use.
type Service struct {
	classifierv1.UnsafeClassifierServiceServer // every RPC must be there

	cfg        Config
	rules      *rules.Classifier
	heads      *heads
	llm        *llm      // nil where none is configured
	learning   *Learning // nil without a store
	clock      func() time.Time
	log        *slog.Logger
	metrics    *metrics
	statistics *statistics

	failed sync.Once      // the built-in models cannot be read, and that was said
	work   sync.WaitGroup // calls of the language model that outlive their classification
}

var _ classifierv1.ClassifierServiceServer = (*Service)(nil)

// New makes the room.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, rules: rules.New(), clock: deps.Clock, log: deps.Logger}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if deps.BuiltIn == nil {
		deps.BuiltIn = builtin.Load
	}
	s.heads = newHeads(deps.BuiltIn)
	var err error
	if s.llm, err = newLLM(cfg.LLM, deps.GPT, s.clock); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(deps.Metrics, s.breakerState); err != nil {
		return nil, fmt.Errorf("classifier: metrics: %w", err)
	}
	if s.learning, err = newLearning(cfg.Learning, deps, s.heads, s.clock, s.log); err != nil {
		return nil, err
	}
	s.statistics = newStatistics(s.clock())
	return s, nil
}

// Migrations returns what the room's stores need, for the command to apply.
func Migrations() (sqliteFS, postgresFS fs.FS) { return sqlite.Migrations(), postgres.Migrations() }

// Learning returns the half of the room that learns; nil without a store.
func (s *Service) Learning() *Learning { return s.learning }

// Register adds the room's services to a server.
func (s *Service) Register(server grpc.ServiceRegistrar) {
	classifierv1.RegisterClassifierServiceServer(server, s)
	if s.learning != nil {
		classifierv1.RegisterLearningServiceServer(server, s.learning)
	}
}

// Start puts the stored model versions in place and begins the background work,
// which lives until Close.
func (s *Service) Start(ctx context.Context) error {
	if s.learning == nil {
		return nil
	}
	return s.learning.start(ctx)
}

// Ready says why the room cannot serve now, or nil. That the store is out of
// reach is no reason: texts are labelled without it.
func (s *Service) Ready(context.Context) error { return nil }

// Drain has nothing to wait for: calls last microseconds or their caller's
// time, and the server waits for them.
func (s *Service) Drain(context.Context) error { return nil }

// Close ends the background work and waits for it, and for calls of the
// language model, which end with their classification or soon after. The store
// must still be open.
func (s *Service) Close() error {
	if s.learning != nil {
		s.learning.close()
	}
	s.work.Wait()
	return nil
}

package classifier

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/builtin"
	"github.com/gptmesh/gptmesh/services/classifier/internal/rules"
	"google.golang.org/grpc"
)

// Service is the classifier room. It is safe for concurrent use.
type Service struct {
	classifierv1.UnsafeClassifierServiceServer // every RPC must be there

	cfg        Config
	rules      *rules.Classifier
	heads      *heads
	llm        *llm // nil where none is configured
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
	s.statistics = newStatistics(s.clock())
	return s, nil
}

// Register adds the room's service to a server.
func (s *Service) Register(server grpc.ServiceRegistrar) {
	classifierv1.RegisterClassifierServiceServer(server, s)
}

// Start has nothing to begin.
func (s *Service) Start(context.Context) error { return nil }

// Ready returns nil: the room depends on nothing.
func (s *Service) Ready(context.Context) error { return nil }

// Drain has nothing to wait for: calls last microseconds, and the server waits
// for them.
func (s *Service) Drain(context.Context) error { return nil }

// Close waits for calls of the language model, which end with their
// classification or soon after.
func (s *Service) Close() error {
	s.work.Wait()
	return nil
}

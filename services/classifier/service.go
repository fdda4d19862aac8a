package classifier

import (
	"context"
	"fmt"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/internal/rules"
	"google.golang.org/grpc"
)

// Service is the classifier room. It is safe for concurrent use.
type Service struct {
	classifierv1.UnsafeClassifierServiceServer // every RPC must be there

	tiers      []tier
	timeout    time.Duration
	clock      func() time.Time
	metrics    *metrics
	statistics *statistics
}

var _ classifierv1.ClassifierServiceServer = (*Service)(nil)

// New makes the room.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	clock := deps.Clock
	if clock == nil {
		clock = time.Now
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, fmt.Errorf("classifier: metrics: %w", err)
	}
	heuristic := rules.New()
	return &Service{
		tiers: []tier{{
			is: classifierv1.Tier_TIER_HEURISTIC, threshold: cfg.HeuristicThreshold,
			ask: func(_ context.Context, req *classifierv1.ClassifyRequest) rules.Verdict {
				return heuristic.Classify(req.GetText())
			},
		}},
		timeout: cfg.Timeout, clock: clock, metrics: m, statistics: newStatistics(clock()),
	}, nil
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

// Close has nothing to end.
func (s *Service) Close() error { return nil }

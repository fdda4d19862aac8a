package request

import (
	"context"
	"errors"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CreateExperiment implements the RPC.
func (s *Service) CreateExperiment(ctx context.Context, req *requestv1.CreateExperimentRequest) (*requestv1.CreateExperimentResponse, error) {
	e := proto.CloneOf(req.GetExperiment())
	p, err := s.namedPolicy(e.GetPolicy())
	if err != nil {
		return nil, fault.InvalidField("experiment.policy", "there is no such policy; there are "+policyNames(s.router.policies))
	}
	other, err := s.namedPolicy(e.GetTreatment())
	switch {
	case err != nil:
		return nil, fault.InvalidField("experiment.treatment", "there is no such policy; there are "+policyNames(s.router.policies))
	case other == p:
		return nil, fault.InvalidField("experiment.treatment", "is the control itself")
	case s.configured(e.GetName()) != nil:
		return nil, exists(e.GetName(), "the configuration has an experiment of this name")
	}
	e.Policy, e.Treatment, e.Percent = p.name, other.name, percent(e.GetPercent())
	if e.GetKey() == 0 {
		e.Key = requestv1.Experiment_KEY_SESSION
	}
	if e.GetMetric() == 0 {
		e.Metric = requestv1.Experiment_METRIC_SUCCESS
	}
	e.CreateTime, e.EndTime, e.Configured = timestamppb.New(s.deps.Clock()), nil, false
	if err := s.overlaps(ctx, e); err != nil {
		return nil, err
	}
	err = s.routes.AddExperiment(ctx, e)
	if errors.Is(err, store.ErrExists) {
		return s.sameExperiment(ctx, e)
	}
	if err != nil {
		return nil, storeFault(err, "")
	}
	s.router.forgetTrials()
	return &requestv1.CreateExperimentResponse{Experiment: e}, nil
}

// overlaps refuses a second A/B test of the same requests.
func (s *Service) overlaps(ctx context.Context, e *requestv1.Experiment) error {
	if e.GetMode() != requestv1.Experiment_MODE_SPLIT {
		return nil
	}
	for _, other := range s.readTrials(ctx).byPolicy[e.GetPolicy()] {
		if other.GetMode() == e.GetMode() && other.GetName() != e.GetName() {
			return exists(other.GetName(), "the A/B test "+other.GetName()+" of this policy runs: end it first")
		}
	}
	return nil
}

// sameExperiment makes sending the same call again safe.
func (s *Service) sameExperiment(ctx context.Context, e *requestv1.Experiment) (*requestv1.CreateExperimentResponse, error) {
	stored, err := s.experiment(ctx, e.GetName())
	if err != nil {
		return nil, err
	}
	again := proto.CloneOf(stored)
	again.CreateTime = e.GetCreateTime()
	if !proto.Equal(again, e) {
		return nil, exists(e.GetName(), "there is an experiment of this name")
	}
	return &requestv1.CreateExperimentResponse{Experiment: stored}, nil
}

func exists(name, message string) *fault.Fault {
	return fault.New(codes.AlreadyExists, meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS, "experiment.name: "+message, "id", name)
}

// experiment finds an experiment, configured or stored.
func (s *Service) experiment(ctx context.Context, name string) (*requestv1.Experiment, error) {
	if e := s.configured(name); e != nil {
		return e, nil
	}
	stored, err := s.routes.Experiments(ctx)
	if err != nil {
		return nil, storeFault(err, "")
	}
	for _, e := range stored {
		if e.GetName() == name {
			return e, nil
		}
	}
	return nil, noExperiment(name)
}

func (s *Service) configured(name string) *requestv1.Experiment {
	for _, e := range s.router.configured {
		if e.GetName() == name {
			return e
		}
	}
	return nil
}

// forgetTrials lets the next choice read the experiments again.
func (r *router) forgetTrials() { r.experiments.Store(nil) }

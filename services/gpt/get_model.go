package gpt

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"google.golang.org/protobuf/proto"
)

// GetModel implements gptv1.GPTServiceServer.
func (s *Service) GetModel(ctx context.Context, req *gptv1.GetModelRequest) (*gptv1.GetModelResponse, error) {
	admitted, err := s.calls.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer admitted.done()
	ctx = admitted
	if route := s.registry.RouteModel(req.GetModel()); route != nil {
		model := proto.Clone(route).(*gptv1.Model)
		model.IsDefault = s.registry.RouteModel("") == route
		return &gptv1.GetModelResponse{Model: model}, nil
	}
	target, err := s.registry.Resolve(ctx, req.GetModel())
	if err != nil {
		return nil, s.ended(ctx, err, "")
	}
	model := proto.Clone(target.Model).(*gptv1.Model)
	if standard, err := s.registry.Default(ctx); err == nil && s.registry.RouteModel("") == nil {
		model.IsDefault = standard.Entry == target.Entry && standard.Name() == target.Name()
	}
	return &gptv1.GetModelResponse{Model: model}, nil
}

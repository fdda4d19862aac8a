package gpt

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"google.golang.org/protobuf/proto"
)

// ListModels implements gptv1.GPTServiceServer.
func (s *Service) ListModels(ctx context.Context, req *gptv1.ListModelsRequest) (*gptv1.ListModelsResponse, error) {
	filter := "models/" + req.GetProvider()
	cursor, err := page.Cursor(filter, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	admitted, err := s.calls.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer admitted.done()
	ctx = admitted
	s.registry.Refresh(ctx)
	if ctx.Err() != nil {
		return nil, s.ended(ctx, ctx.Err(), "")
	}
	standard := ""
	if route := s.registry.RouteModel(""); route != nil {
		standard = registry.RouteProvider + "/" + route.GetId()
	} else if target, err := s.registry.Default(ctx); err == nil {
		standard = target.Model.GetProvider() + "/" + target.Name()
	}
	resp, size := &gptv1.ListModelsResponse{}, page.Size(req.GetPageSize(), 1000, 1000)
	for _, model := range s.registry.Models() {
		if model.GetId() <= cursor || req.GetProvider() != "" && req.GetProvider() != model.GetProvider() {
			continue
		}
		if len(resp.Models) == size {
			resp.NextPageToken = page.Token(filter, resp.Models[size-1].GetId())
			break
		}
		// The answer belongs to the caller.
		model = proto.Clone(model).(*gptv1.Model)
		model.IsDefault = model.GetProvider()+"/"+model.GetProviderModel() == standard
		resp.Models = append(resp.Models, model)
	}
	for _, entry := range s.registry.Entries() {
		if req.GetProvider() != "" && req.GetProvider() != entry.Info.Name {
			continue
		}
		if listed := entry.Listed(); entry.Provider == nil || listed.Err != nil && !listed.Known {
			resp.Unreachable = append(resp.Unreachable, describe(entry, s.deps.Clock()))
		}
	}
	if req.GetProvider() != "" && req.GetProvider() != registry.RouteProvider && s.registry.Entry(req.GetProvider()) == nil {
		return nil, fault.InvalidField("provider", "no provider of this name is configured")
	}
	return resp, nil
}

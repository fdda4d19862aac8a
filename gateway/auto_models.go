package gateway

import (
	"context"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"google.golang.org/protobuf/proto"
)

// autoModels shows the routing policies as models, so that clients can pick
// them from their lists: the policies that have a model to choose, after all
// real ones.
type autoModels struct {
	gptv1.GPTServiceCaller
	routing requestv1.RoutingServiceCaller
}

// autoPrefix begins the name of every policy's model.
const autoPrefix = "auto"

// latest is the tag that Ollama's clients add to names without one.
const latest = ":latest"

// models are the policies as models. Where they cannot be learned there are
// none: the lists of real models must not fail for them.
func (a autoModels) models(ctx context.Context) ([]*gptv1.Model, []*requestv1.Policy) {
	resp, err := a.routing.ListPolicies(ctx, &requestv1.ListPoliciesRequest{})
	if err != nil {
		return nil, nil
	}
	var models []*gptv1.Model
	var policies []*requestv1.Policy
	for _, p := range resp.GetPolicies() {
		if len(p.GetCandidates()) == 0 && p.GetDefaultModel() == "" {
			continue
		}
		m := &gptv1.Model{
			Id: p.GetModel(), Provider: "gptmesh", ProviderModel: p.GetModel(), DisplayName: p.GetModel(), OwnedBy: "gptmesh",
			ContextLength: p.GetContextLength(), MaxOutputTokens: p.GetMaxOutputTokens(), Capabilities: p.GetCapabilities(), Family: "auto",
		}
		if p.GetDescription() != "" {
			m.DisplayName += ": " + p.GetDescription()
		}
		if len(m.GetCapabilities()) == 0 {
			m.Capabilities = []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT}
		}
		if !strings.Contains(m.GetId(), ":") {
			m.Aliases = []string{m.GetId() + latest}
		}
		models, policies = append(models, m), append(policies, p)
	}
	return models, policies
}

// ListModels implements gptv1.GPTServiceCaller.
func (a autoModels) ListModels(ctx context.Context, req *gptv1.ListModelsRequest) (*gptv1.ListModelsResponse, error) {
	resp, err := a.GPTServiceCaller.ListModels(ctx, req)
	if err != nil || resp.GetNextPageToken() != "" || req.GetProvider() != "" {
		return resp, err
	}
	autos, _ := a.models(ctx)
	if len(autos) == 0 {
		return resp, nil
	}
	models := make([]*gptv1.Model, 0, len(resp.GetModels())+len(autos))
	return &gptv1.ListModelsResponse{Models: append(append(models, resp.GetModels()...), autos...), Unreachable: resp.GetUnreachable()}, nil
}

// GetModel implements gptv1.GPTServiceCaller.
func (a autoModels) GetModel(ctx context.Context, req *gptv1.GetModelRequest) (*gptv1.GetModelResponse, error) {
	if m, _ := a.find(ctx, req.GetModel()); m != nil {
		return &gptv1.GetModelResponse{Model: m}, nil
	}
	return a.GPTServiceCaller.GetModel(ctx, req)
}

// CountTokens implements gptv1.GPTServiceCaller: for a policy it counts as its
// first candidate does.
func (a autoModels) CountTokens(ctx context.Context, req *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
	if _, p := a.find(ctx, req.GetTurn().GetModel()); p != nil {
		turn := proto.CloneOf[*conversationv1.Turn](req.GetTurn())
		turn.Model = p.GetDefaultModel()
		if len(p.GetCandidates()) > 0 {
			turn.Model = p.GetCandidates()[0]
		}
		req = &gptv1.CountTokensRequest{Turn: turn}
	}
	return a.GPTServiceCaller.CountTokens(ctx, req)
}

// find returns the policy that a model's name asks for, or nil.
func (a autoModels) find(ctx context.Context, name string) (*gptv1.Model, *requestv1.Policy) {
	if !strings.HasPrefix(name, autoPrefix) {
		return nil, nil
	}
	models, policies := a.models(ctx)
	for i, m := range models {
		if m.GetId() == strings.TrimSuffix(name, latest) {
			return m, policies[i]
		}
	}
	return nil, nil
}

package request

import (
	"context"
	"slices"
	"strings"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// ListPolicies implements the RPC.
func (s *Service) ListPolicies(ctx context.Context, _ *requestv1.ListPoliciesRequest) (*requestv1.ListPoliciesResponse, error) {
	catalogue := s.models(ctx)
	out := &requestv1.ListPoliciesResponse{}
	for name, p := range s.router.policies {
		shown := &requestv1.Policy{
			Name: name, Model: route.Model(name), Description: p.Description, Version: p.version, DefaultModel: p.Default, BuiltIn: p.builtIn,
		}
		for _, c := range route.Filter(&p.Policy, catalogue, &route.Features{}) {
			if c.Eligible {
				shown.Candidates = append(shown.Candidates, c.ID)
				sum(shown, c.Target)
			}
		}
		if t := catalogue.Find(p.Default); len(shown.Candidates) == 0 && t != nil {
			sum(shown, t)
		}
		slices.Sort(shown.Capabilities)
		out.Policies = append(out.Policies, shown)
	}
	slices.SortFunc(out.Policies, func(a, b *requestv1.Policy) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out, nil
}

// sum adds what a candidate can do to what the policy can.
func sum(p *requestv1.Policy, t *route.Target) {
	for _, capability := range t.Capabilities {
		if !slices.Contains(p.Capabilities, capability) && capability != gptv1.Capability_CAPABILITY_EMBEDDING {
			p.Capabilities = append(p.Capabilities, capability)
		}
	}
	p.ContextLength = max(p.GetContextLength(), t.Context)
	p.MaxOutputTokens = max(p.GetMaxOutputTokens(), t.MaxOutput)
}

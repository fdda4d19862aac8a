package gpt

import (
	"context"
	"slices"
	"strings"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListProviders implements gptv1.GPTServiceServer. It tells what is known and
// asks no provider.
func (s *Service) ListProviders(context.Context, *gptv1.ListProvidersRequest) (*gptv1.ListProvidersResponse, error) {
	resp := &gptv1.ListProvidersResponse{}
	for _, entry := range s.registry.Entries() {
		resp.Providers = append(resp.Providers, describe(entry))
	}
	slices.SortFunc(resp.Providers, func(a, b *gptv1.Provider) int { return strings.Compare(a.GetName(), b.GetName()) })
	return resp, nil
}

// describe tells a provider's state.
func describe(entry *registry.Entry) *gptv1.Provider {
	listed := entry.Listed()
	p := &gptv1.Provider{
		Name: entry.Info.Name, Kind: entry.Info.Kind, BaseUrl: entry.Info.BaseURL, Wire: entry.Info.Wire,
		TestProvider: entry.Info.Test, ModelCount: int32(len(listed.Models)), State: gptv1.Provider_STATE_HEALTHY,
	}
	if !listed.Checked.IsZero() {
		p.CheckTime = timestamppb.New(listed.Checked)
	}
	if entry.Provider == nil {
		p.State, p.Reason = gptv1.Provider_STATE_NOT_CONFIGURED, "set "+entry.Missing
		return p
	}
	if listed.Err != nil {
		p.State, p.Reason = gptv1.Provider_STATE_UNAVAILABLE, fault.From(listed.Err).Message
	}
	if entry.Breaker == nil {
		return p
	}
	switch now := entry.Breaker.Snapshot(); {
	case now.State != breaker.Closed:
		p.State, p.Reason = gptv1.Provider_STATE_UNAVAILABLE, "left alone after repeated failures: "+now.Reason
	case now.Failures > 0 && p.State == gptv1.Provider_STATE_HEALTHY:
		p.State, p.Reason = gptv1.Provider_STATE_DEGRADED, now.Reason
	}
	return p
}

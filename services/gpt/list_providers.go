package gpt

import (
	"context"
	"slices"
	"strings"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListProviders implements gptv1.GPTServiceServer. It tells what is known and
// asks no provider.
func (s *Service) ListProviders(_ context.Context, req *gptv1.ListProvidersRequest) (*gptv1.ListProvidersResponse, error) {
	resp := &gptv1.ListProvidersResponse{}
	for _, entry := range s.registry.Entries() {
		resp.Providers = append(resp.Providers, describe(entry, s.deps.Clock()))
	}
	if req.GetKnown() {
		known, err := catalog.Load()
		if err != nil {
			return nil, fault.Internal(err)
		}
		for i := range known.Providers {
			p := unconfigured(&known.Providers[i])
			if !slices.ContainsFunc(resp.Providers, func(other *gptv1.Provider) bool { return other.GetName() == p.GetName() }) {
				resp.Providers = append(resp.Providers, p)
			}
		}
	}
	slices.SortFunc(resp.Providers, func(a, b *gptv1.Provider) int { return strings.Compare(a.GetName(), b.GetName()) })
	return resp, nil
}

// unconfigured tells what a provider of the catalogue lacks.
func unconfigured(p *catalog.Provider) *gptv1.Provider {
	reason := "set gpt.providers." + p.Name + " in the configuration"
	switch {
	case p.Explicit:
	case p.KeyEnv != "" && (!p.KeyOptional || strings.HasPrefix(p.BaseURL, "https:")):
		reason = "set " + p.KeyEnv
	case len(p.BaseURLEnv) > 0:
		reason = "set " + p.BaseURLEnv[0]
	}
	return &gptv1.Provider{Name: p.Name, Kind: p.Kind, BaseUrl: p.BaseURL, State: gptv1.Provider_STATE_NOT_CONFIGURED, Reason: reason}
}

// describe tells a provider's state.
func describe(entry *registry.Entry, now time.Time) *gptv1.Provider {
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
	describeTargets(p, entry, now)
	return p
}

// describeTargets tells the state of the places that were called. A provider
// whose every place is left alone is unavailable; where some are, or fail now and
// then, it is degraded.
func describeTargets(p *gptv1.Provider, entry *registry.Entry, now time.Time) {
	open, failing, reason := 0, 0, ""
	for _, lane := range entry.Lanes {
		load := lane.Limiter.State()
		for _, place := range lane.Places() {
			t := &gptv1.Target{
				Name: place.Name, State: gptv1.Provider_STATE_HEALTHY, FirstTokenMicros: place.Latency.Average(now).Microseconds(),
				Running: int32(load.Running), Limit: int32(load.Limit), Waiting: int32(load.Waiting),
			}
			if until, why := place.Quota.Avoid(1, now); !until.IsZero() {
				t.State, t.Reason, t.AvoidedUntil = gptv1.Provider_STATE_DEGRADED, why, timestamppb.New(until)
			}
			if place.Breaker != nil {
				switch seen := place.Breaker.Snapshot(); {
				case seen.State == breaker.Probing:
					// Whoever chooses by this must send the next call here, or
					// the breaker would never close.
					t.State, t.Reason = gptv1.Provider_STATE_DEGRADED, "to be tried again: "+seen.Reason
				case seen.State == breaker.Open:
					open++
					t.State, t.Reason = gptv1.Provider_STATE_UNAVAILABLE, "left alone after repeated failures: "+seen.Reason
				case seen.Failures > 0:
					t.State, t.Reason = gptv1.Provider_STATE_DEGRADED, seen.Reason
				}
			}
			if t.GetState() != gptv1.Provider_STATE_HEALTHY {
				failing++
				reason = t.GetReason()
			}
			p.Targets = append(p.Targets, t)
		}
	}
	switch {
	case open > 0 && open == len(p.Targets):
		p.State, p.Reason = gptv1.Provider_STATE_UNAVAILABLE, reason
	case failing > 0 && p.State == gptv1.Provider_STATE_HEALTHY:
		p.State, p.Reason = gptv1.Provider_STATE_DEGRADED, reason
	}
}

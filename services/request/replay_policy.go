package request

import (
	"cmp"
	"context"
	"slices"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
)

// What a replay takes in where nothing is said.
const (
	replaySpan  = 24 * time.Hour
	replayLimit = 20_000
	replayPage  = 500
)

// ReplayPolicy implements the RPC.
func (s *Service) ReplayPolicy(ctx context.Context, req *requestv1.ReplayPolicyRequest) (*requestv1.ReplayPolicyResponse, error) {
	p, err := s.namedPolicy(req.GetPolicy())
	if err != nil {
		return nil, err
	}
	var from *policy
	if req.GetFromPolicy() != "" {
		if from, err = s.namedPolicy(req.GetFromPolicy()); err != nil {
			return nil, err
		}
	}
	now := s.deps.Clock()
	filter := store.Filter{Owner: callctx.Owner(ctx), After: timeOf(req.GetAfter()), Before: timeOf(req.GetBefore())}
	if filter.Before.IsZero() {
		filter.Before = now
	}
	if filter.After.IsZero() {
		filter.After = filter.Before.Add(-replaySpan)
	}
	if !filter.After.Before(filter.Before) {
		return nil, fault.InvalidField("before", "must be later than after")
	}
	catalogue := s.models(ctx)
	if catalogue == nil {
		return nil, fault.Internal(errNoCatalogue)
	}
	limit := int(req.GetMaxRequests())
	if limit == 0 {
		limit = replayLimit
	}
	r := &replay{
		policy: p, catalogue: catalogue, now: now, sessions: map[string]string{}, models: map[string]*requestv1.ModelShare{},
		shifts: newShifts(), out: &requestv1.ReplayPolicyResponse{Policy: p.name, PolicyVersion: p.version},
	}
	requests, err := s.replayed(ctx, filter, limit, func(request *requestv1.Request) bool {
		d := request.GetDecision()
		switch {
		case from != nil && d.GetPolicy() != from.name:
			return false
		case !final(request.GetState()), d.GetFeatures() == nil && !(req.GetIncludeNamed() && request.GetUsage() != nil):
			r.out.Skipped++
			return false
		}
		return true
	}, &r.out.Truncated)
	if err != nil {
		return nil, storeFault(err, "")
	}
	// Oldest first: a conversation keeps its model from turn to turn.
	for _, request := range slices.Backward(requests) {
		r.add(request)
	}
	return r.result(), nil
}

// replayed collects the requests that keep takes, newest first.
func (s *Service) replayed(ctx context.Context, filter store.Filter, limit int, keep func(*requestv1.Request) bool, truncated *bool) ([]*requestv1.Request, error) {
	var out []*requestv1.Request
	for {
		page, err := s.store.List(ctx, filter, replayPage)
		if err != nil {
			return nil, err
		}
		for _, request := range page {
			if !keep(request) {
				continue
			}
			if len(out) == limit {
				*truncated = true
				return out, nil
			}
			out = append(out, &requestv1.Request{ // what the replay needs
				Owner: request.GetOwner(), SessionId: request.GetSessionId(), Model: request.GetModel(),
				Decision: request.GetDecision(), Usage: request.GetUsage(), State: request.GetState(),
			})
		}
		if len(page) < replayPage {
			return out, nil
		}
		filter.Cursor = store.CursorOf(page[len(page)-1])
	}
}

// replay decides anew.
type replay struct {
	policy    *policy
	catalogue *route.Catalogue
	now       time.Time
	sessions  map[string]string
	models    map[string]*requestv1.ModelShare
	shifts    shifts
	out       *requestv1.ReplayPolicyResponse
}

func (r *replay) add(request *requestv1.Request) {
	d, f := request.GetDecision(), featuresFrom(request.GetDecision())
	tokens, counted := tokensOf(request, f)
	if d.GetFeatures() == nil { // the client named the model: only the tokens are known
		f = route.Features{Input: tokens.input, Output: tokens.output, Need: 0.5}
	}
	previous := r.sessions[request.GetSessionId()]
	if request.GetSessionId() == "" && d.GetSticky() {
		previous = d.GetModel()
	}
	recorded := make(map[string]route.Recorded, len(d.GetCandidates()))
	for _, c := range d.GetCandidates() {
		if c.GetEligible() && c.GetSuccess() > 0 {
			recorded[c.GetModel()] = route.Recorded{Success: c.GetSuccess(), Latency: c.GetLatency()}
		}
	}
	answer := route.Choose(&route.Question{
		Policy: &r.policy.Policy, Catalogue: r.catalogue, Features: f, Recorded: recorded, Previous: previous,
		Unclassified: d.GetFeatures() != nil && !d.GetFeatures().GetClassified() && d.GetClassifyMicros() > 0, Now: r.now,
	}, route.Filter(&r.policy.Policy, r.catalogue, &f))

	was, from := r.catalogue.Find(d.GetModel()), d.GetModel()
	if was != nil {
		from = was.ID
	}
	to, chosen := "(default)", (*route.Target)(nil)
	if answer.Chosen != nil {
		to, chosen = answer.Chosen.ID, answer.Chosen.Target
		if request.GetSessionId() != "" {
			r.sessions[request.GetSessionId()] = to
		}
	}
	r.out.Requests++
	if !counted {
		r.out.Estimated++
	}
	if from == to {
		r.out.Same++
	}
	if answer.Defaulted {
		r.out.Defaulted++
	}
	cost, other, priced := tokens.costs(was, chosen)
	if !priced {
		r.out.Unpriced++
	}
	r.out.Cost += cost
	r.out.ReplayCost += other
	before, after := r.share(from, was), r.share(to, chosen)
	before.Requests++
	before.Cost += cost
	after.ReplayRequests++
	after.ReplayCost += other
	r.shifts.add(from, to, cost, other)
}

func (r *replay) share(model string, t *route.Target) *requestv1.ModelShare {
	m := r.models[model]
	if m == nil {
		m = &requestv1.ModelShare{Model: model, Priced: t != nil && t.Priced()}
		r.models[model] = m
	}
	return m
}

func (r *replay) result() *requestv1.ReplayPolicyResponse {
	for _, m := range r.models {
		r.out.Models = append(r.out.Models, m)
	}
	slices.SortFunc(r.out.Models, func(a, b *requestv1.ModelShare) int {
		return cmp.Or(cmp.Compare(b.GetRequests()+b.GetReplayRequests(), a.GetRequests()+a.GetReplayRequests()), cmp.Compare(a.GetModel(), b.GetModel()))
	})
	r.out.Shifts, r.out.Currency = r.shifts.sorted(), currencyOf(r.catalogue)
	return r.out
}

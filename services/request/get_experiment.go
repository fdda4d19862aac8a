package request

import (
	"context"
	"fmt"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/grpc/codes"
)

// GetExperiment implements the RPC.
func (s *Service) GetExperiment(ctx context.Context, req *requestv1.GetExperimentRequest) (*requestv1.GetExperimentResponse, error) {
	e, err := s.experiment(ctx, req.GetExperiment())
	if err != nil {
		return nil, err
	}
	catalogue := s.models(ctx)
	if catalogue == nil {
		catalogue = &route.Catalogue{}
	}
	r := &results{experiment: e, catalogue: catalogue, shifts: newShifts()}
	if err := s.routes.Assigned(ctx, e.GetName(), func(a store.Assigned) error {
		r.add(a)
		return ctx.Err()
	}); err != nil {
		return nil, storeFault(err, "")
	}
	return r.response(), nil
}

// results sum up the requests of an experiment.
type results struct {
	experiment *requestv1.Experiment
	catalogue  *route.Catalogue
	variants   [2]variant
	shadow     requestv1.ShadowComparison
	shifts     shifts
}

// variant sums up the requests of one variant.
type variant struct {
	requests                       int64
	success, latency, cost, rating route.Sample
	models                         map[string]int64
}

func (r *results) add(a store.Assigned) {
	for _, assignment := range a.Request.GetDecision().GetExperiments() {
		if assignment.GetExperiment() != r.experiment.GetName() {
			continue
		}
		if r.experiment.GetMode() == requestv1.Experiment_MODE_SHADOW {
			r.compare(a.Request, assignment)
		}
		at := 0
		if assignment.GetVariant() == treatment {
			at = 1
		}
		r.variants[at].add(a, r.catalogue)
	}
}

func (v *variant) add(a store.Assigned, catalogue *route.Catalogue) {
	request := a.Request
	d := request.GetDecision()
	v.requests++
	if v.models == nil {
		v.models = map[string]int64{}
	}
	v.models[d.GetModel()]++
	switch state := request.GetState(); {
	case state == completed:
		v.success.Add(1)
		v.latency.Add(request.GetFinishTime().AsTime().Sub(request.GetCreateTime().AsTime()).Seconds())
	case state == failed && !clientsFault(codes.Code(request.GetFailure().GetCode())):
		v.success.Add(0)
	}
	if t := catalogue.Find(d.GetModel()); t != nil && t.Priced() && request.GetUsage() != nil {
		tokens, _ := tokensOf(request, route.Features{})
		cost, _, _ := tokens.costs(t, t)
		v.cost.Add(cost)
	}
	if a.Rating != nil {
		v.rating.Add(*a.Rating)
	}
}

// compare takes in what a shadow would have done.
func (r *results) compare(request *requestv1.Request, a *requestv1.ExperimentAssignment) {
	from, to := request.GetDecision().GetModel(), a.GetShadowModel()
	was, other := r.catalogue.Find(from), r.catalogue.Find(to)
	if was != nil {
		from = was.ID
	}
	r.shadow.Requests++
	if to == "" {
		to = "(default)"
	}
	if from == to {
		r.shadow.Agreed++
	}
	tokens, _ := tokensOf(request, featuresFrom(request.GetDecision()))
	cost, otherCost, _ := tokens.costs(was, other)
	r.shadow.Cost += cost
	r.shadow.ShadowCost += otherCost
	r.shifts.add(from, to, cost, otherCost)
}

func (r *results) response() *requestv1.GetExperimentResponse {
	e := r.experiment
	out := &requestv1.GetExperimentResponse{Experiment: e, Currency: currencyOf(r.catalogue)}
	out.Variants = append(out.Variants, r.variants[0].shown(control, e.GetPolicy()))
	if e.GetMode() == requestv1.Experiment_MODE_SHADOW {
		r.shadow.Shifts = r.shifts.sorted()
		out.Shadow = &r.shadow
		out.Verdict = fmt.Sprintf("%s would have chosen the same model for %d of %d requests", e.GetTreatment(), r.shadow.GetAgreed(), r.shadow.GetRequests())
		return out
	}
	out.Variants = append(out.Variants, r.variants[1].shown(treatment, e.GetTreatment()))
	out.Comparisons = r.comparisons()
	for _, c := range out.Comparisons {
		if c.GetMetric() != e.GetMetric() {
			continue
		}
		out.Winner = c.GetBetter()
		switch name := metricName(e.GetMetric()); {
		case !c.GetEnough():
			out.Verdict = fmt.Sprintf("too few requests to tell: each variant needs %d with a value of %s", minSamples(e), name)
		case !c.GetSignificant():
			out.Verdict = fmt.Sprintf("no significant difference of %s (p = %.3g)", name, c.GetPValue())
		default:
			out.Verdict = fmt.Sprintf("the %s wins by %s (p = %.3g)", out.Winner, name, c.GetPValue())
		}
	}
	if out.Verdict == "" {
		out.Verdict = "no request has a value of " + metricName(e.GetMetric()) + " yet"
	}
	return out
}

func (v *variant) shown(name, policy string) *requestv1.VariantResult {
	return &requestv1.VariantResult{
		Variant: name, Policy: policy, Requests: v.requests, Models: v.models,
		Success: samples(&v.success), Latency: samples(&v.latency), Cost: samples(&v.cost), Rating: samples(&v.rating),
	}
}

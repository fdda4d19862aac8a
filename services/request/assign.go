package request

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// The variants of an experiment.
const (
	control   = "control"
	treatment = "treatment"
)

// trials are the experiments that run, as of one moment.
type trials struct {
	byPolicy map[string][]*requestv1.Experiment
	at       time.Time
}

// shadow is a policy that decides and does not act.
type shadow struct {
	policy *policy
	at     int // in Decision.experiments
}

// assign finds the experiments of a turn that asks for p. It returns the policy
// that acts, and those that only decide.
func (s *Service) assign(ctx context.Context, p *policy, w *wish, d *requestv1.Decision) (acts *policy, shadows []shadow) {
	acts = p
	split := false
	for _, e := range s.trials(ctx).byPolicy[p.name] {
		other := s.router.policies[e.GetTreatment()]
		if other == nil {
			continue // a policy of yesterday's configuration
		}
		in := route.In(e.GetName(), keyOf(e, w), e.GetPercent())
		switch e.GetMode() {
		case requestv1.Experiment_MODE_SPLIT:
			if split {
				continue // one at a time: two would blur each other
			}
			split = true
			a := &requestv1.ExperimentAssignment{Experiment: e.GetName(), Variant: control, Policy: p.name, PolicyVersion: p.version}
			if in {
				a.Variant, a.Policy, a.PolicyVersion = treatment, other.name, other.version
				acts = other
			}
			d.Experiments = append(d.Experiments, a)
		case requestv1.Experiment_MODE_SHADOW:
			if in {
				shadows = append(shadows, shadow{other, len(d.Experiments)})
				d.Experiments = append(d.Experiments, &requestv1.ExperimentAssignment{
					Experiment: e.GetName(), Variant: control, Policy: other.name, PolicyVersion: other.version,
				})
			}
		}
	}
	return acts, shadows
}

// keyOf is what a turn is assigned by.
func keyOf(e *requestv1.Experiment, w *wish) string {
	switch {
	case e.GetKey() == requestv1.Experiment_KEY_OWNER:
		return w.owner
	case e.GetKey() == requestv1.Experiment_KEY_USER, w.session == "":
		return w.owner + "\x00" + w.user
	}
	return w.session
}

// trials are the running experiments: the known ones, renewed beside the turn
// where they are old; the first time they are waited for.
func (s *Service) trials(ctx context.Context) *trials {
	r := s.router
	known := r.experiments.Load()
	if known != nil && s.deps.Clock().Sub(known.at) < s.cfg.ExperimentsTTL {
		return known
	}
	lasting, cancel := callctx.Lasting(ctx, s.cfg.CatalogueTimeout)
	if known != nil {
		select {
		case r.trying <- struct{}{}:
			s.work.Go(func() {
				defer cancel()
				defer func() { <-r.trying }()
				s.readTrials(lasting)
			})
		default:
			cancel()
		}
		return known
	}
	defer cancel()
	return s.readTrials(lasting)
}

// readTrials reads the experiments. Where it cannot, the known ones stay.
func (s *Service) readTrials(ctx context.Context) *trials {
	out := &trials{byPolicy: map[string][]*requestv1.Experiment{}, at: s.deps.Clock()}
	stored, err := s.routes.Experiments(ctx)
	if err != nil {
		s.deps.Logger.Warn("the experiments cannot be read", "error", err)
		if known := s.router.experiments.Load(); known != nil {
			out.byPolicy = known.byPolicy
			stored = nil
		}
	}
	if err == nil || s.router.experiments.Load() == nil {
		for _, e := range slices.Concat(s.router.configured, stored) {
			if e.GetEndTime() == nil {
				out.byPolicy[e.GetPolicy()] = append(out.byPolicy[e.GetPolicy()], e)
			}
		}
	}
	s.router.experiments.Store(out)
	return out
}

// experiments are those of the configuration: what stands under experiments,
// and the shadows of policies.
func (c Config) experiments(policies map[string]*policy) []*requestv1.Experiment {
	var out []*requestv1.Experiment
	for _, name := range slices.Sorted(maps.Keys(c.Experiments)) {
		out = append(out, c.Experiments[name].contract(name))
	}
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		if p := policies[name]; p.Shadow != "" {
			out = append(out, &requestv1.Experiment{
				Name: "shadow:" + name, Policy: name, Treatment: p.Shadow, Mode: requestv1.Experiment_MODE_SHADOW, Percent: 100, Configured: true,
			})
		}
	}
	return out
}

func (e Experiment) contract(name string) *requestv1.Experiment {
	return &requestv1.Experiment{
		Name: name, Policy: e.Policy, Treatment: e.Treatment, Percent: percent(e.Percent),
		Mode:       requestv1.Experiment_Mode(requestv1.Experiment_Mode_value["MODE_"+strings.ToUpper(orElse(e.Mode, "split"))]),
		Key:        requestv1.Experiment_Key(requestv1.Experiment_Key_value["KEY_"+strings.ToUpper(orElse(e.Key, "session"))]),
		Metric:     requestv1.Experiment_Metric(requestv1.Experiment_Metric_value["METRIC_"+strings.ToUpper(orElse(e.Metric, "success"))]),
		MinSamples: e.MinSamples, Alpha: e.Alpha, Configured: true,
	}
}

func orElse(value, other string) string {
	if value == "" {
		return other
	}
	return value
}

// percent keeps a share within bounds.
func percent(share float64) float64 { return min(max(share, 0), 100) }

// validateExperiments says which key is wrong.
func (c Config) validateExperiments() error {
	policies, err := c.policies()
	if err != nil {
		return nil // said already
	}
	var errs []error
	for name, e := range c.Experiments {
		key := "experiments." + name
		check := func(ok bool, field, rule string) {
			if !ok {
				errs = append(errs, fmt.Errorf("%s%s: %s", key, field, rule))
			}
		}
		made := e.contract(name)
		check(route.ValidName(name), "", "the name is of letters, digits, \"-\", \"_\" and \".\", at most 64")
		check(policies[e.Policy] != nil, ".policy", fmt.Sprintf("there is no policy %q", e.Policy))
		check(policies[e.Treatment] != nil, ".treatment", fmt.Sprintf("there is no policy %q", e.Treatment))
		check(e.Policy != e.Treatment, ".treatment", "is the control itself")
		check(made.GetMode() != 0, ".mode", "must be split or shadow")
		check(made.GetKey() != 0, ".key", "must be session, user or owner")
		check(made.GetMetric() != 0, ".metric", "must be success, latency, cost or rating")
		check(e.MinSamples >= 0, ".min_samples", "must not be negative")
		check(e.Alpha >= 0 && e.Alpha < 1, ".alpha", "must be from 0 to 1")
	}
	return errors.Join(errs...)
}

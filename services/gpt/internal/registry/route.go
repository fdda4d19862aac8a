package registry

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// RouteProvider stands as the provider of a route's name in lists of models.
const RouteProvider = "route"

// Strategy is how one of several targets is chosen.
type Strategy string

// The strategies.
const (
	// Order takes the first target that can take the call.
	Order Strategy = "order"
	// Weighted draws one by weight.
	Weighted Strategy = "weighted"
	// Latencies draws two and takes the one that is quicker now.
	Latencies Strategy = "latency"
	// Price takes the cheapest.
	Price Strategy = "price"
)

// Route is a name that leads to several targets. Read-only.
type Route struct {
	// Name is what clients ask for.
	Name string
	// Strategy is how a target is chosen.
	Strategy Strategy
	// Targets are the targets, at least one.
	Targets []RouteTarget
	// FallbackOn are the classes of failures after which another target is
	// tried.
	FallbackOn []string
	// HedgeAfter is the wait for a first token after which a second target is
	// started beside the first; 0 for never. With HedgeQuantile it is the most.
	HedgeAfter time.Duration
	// HedgeQuantile takes that wait from what was observed: 0.95 for the time in
	// which 95 of 100 answers began. 0 takes HedgeAfter alone.
	HedgeQuantile float64
	// MayContinue lets another target go on with an answer that broke off,
	// where the client asks for it.
	MayContinue bool
}

// RouteTarget is one target of a route.
type RouteTarget struct {
	// Model is the model's id, "provider/model" as a rule.
	Model string
	// Weight is its share with Weighted.
	Weight int
	// Own is a provider of its own, with a key or address that no other target
	// has. Nil means the configured provider.
	Own *Entry
}

// Option is one place that a call may go to.
type Option struct {
	// Target is the model at its provider.
	Target *Target
	// Place is the key and address.
	Place *Place
	// Index is the number of the route's target; several keys share one.
	Index int
	// Weight is the target's share with Weighted.
	Weight int
}

// Plan is where a call may go.
type Plan struct {
	// Route is the route that was asked for. Nil where a model was.
	Route *Route
	// Options are the places, in the order of the configuration, at least one.
	Options []Option
	// Missing are targets of the route that cannot be called at all, with why.
	Missing []string
}

// Route returns the route of a name, or of an alias of it, or nil.
func (r *Registry) Route(name string) *Route {
	if len(r.cfg.Routes) == 0 {
		return nil
	}
	if to := r.cfg.Aliases[name]; to != "" {
		name = to
	}
	return r.cfg.Routes[strings.TrimPrefix(name, RouteProvider+"/")]
}

// route is Route, with the default for no name.
func (r *Registry) route(name string) *Route {
	if name == "" || name == "auto" {
		name = r.cfg.DefaultModel
	}
	return r.Route(name)
}

// RouteModel describes the route of a name, the default's for none, or is nil
// where the name is no route's. Read-only.
func (r *Registry) RouteModel(name string) *gptv1.Model {
	route := r.route(name)
	if route == nil {
		return nil
	}
	for _, m := range r.index.Load().models {
		if m.GetId() == route.Name {
			return m
		}
	}
	return nil
}

// Plan finds all places that answer for a name. Errors are Resolve's.
func (r *Registry) Plan(ctx context.Context, name string) (Plan, error) {
	route := r.route(name)
	if route == nil {
		target, err := r.Resolve(ctx, name)
		if err != nil {
			return Plan{}, err
		}
		return PlanFor(target), nil
	}
	plan := Plan{Route: route}
	var first error
	for i := range route.Targets {
		target, err := r.routed(ctx, &route.Targets[i])
		if err != nil {
			if ctx.Err() != nil {
				return Plan{}, err
			}
			if first == nil {
				first = err
			}
			plan.Missing = append(plan.Missing, route.Targets[i].Model+" ("+err.Error()+")")
			continue
		}
		for _, place := range target.Places() {
			plan.Options = append(plan.Options, Option{Target: target, Place: place, Index: i, Weight: route.Targets[i].Weight})
		}
	}
	if len(plan.Options) == 0 {
		return Plan{}, first
	}
	return plan, nil
}

// PlanWith is Plan for a model and those that are tried, in order, where it fails:
// a route of one call. Fallbacks that there are not are left out; a route that is
// asked for keeps its own targets.
func (r *Registry) PlanWith(ctx context.Context, name string, fallbacks, on []string) (Plan, error) {
	plan, err := r.Plan(ctx, name)
	if len(fallbacks) == 0 || plan.Route != nil || ctx.Err() != nil {
		return plan, err
	}
	plan.Route = &Route{Strategy: Order, FallbackOn: on, MayContinue: true}
	if err != nil {
		plan.Missing = append(plan.Missing, name+" ("+err.Error()+")")
	}
	for i, fallback := range fallbacks {
		target, missing := r.Resolve(ctx, fallback)
		if missing != nil {
			plan.Missing = append(plan.Missing, fallback+" ("+missing.Error()+")")
			continue
		}
		for _, place := range target.Places() {
			plan.Options = append(plan.Options, Option{Target: target, Place: place, Index: i + 1})
		}
	}
	if len(plan.Options) == 0 {
		return Plan{}, err
	}
	return plan, nil
}

// PlanFor is the plan of one target with all its keys.
func PlanFor(target *Target) Plan {
	places := target.Places()
	plan := Plan{Options: make([]Option, len(places))}
	for i, place := range places {
		plan.Options[i] = Option{Target: target, Place: place}
	}
	return plan
}

func (r *Registry) first(ctx context.Context, route *Route) (*Target, error) {
	plan, err := r.Plan(ctx, route.Name)
	if err != nil {
		return nil, err
	}
	return plan.Options[0].Target, nil
}

// routed finds the target of a route. A route leads to models, never to another
// route.
func (r *Registry) routed(ctx context.Context, t *RouteTarget) (*Target, error) {
	if t.Own == nil {
		return r.named(ctx, t.Model)
	}
	_, model, _ := strings.Cut(t.Model, "/")
	if t.Own.Provider == nil {
		return nil, notConfigured(t.Own.Info.Name, t.Own.Missing)
	}
	return r.pass(t.Own, model), nil
}

// describeRoutes adds the routes to the list of models, from what is known of
// their targets now. A route hides a model of its name.
func (r *Registry) describeRoutes(built *index) {
	for _, name := range slices.Sorted(maps.Keys(r.cfg.Routes)) {
		built.models = slices.DeleteFunc(built.models, func(m *gptv1.Model) bool { return m.GetId() == name })
		built.models = append(built.models, r.describeRoute(built, r.cfg.Routes[name]))
	}
}

func (r *Registry) describeRoute(built *index, route *Route) *gptv1.Model {
	m := &gptv1.Model{
		Id: route.Name, Provider: RouteProvider, ProviderModel: route.Name, DisplayName: route.Name, Strategy: string(route.Strategy),
	}
	for alias, to := range r.cfg.Aliases {
		if to == route.Name {
			m.Aliases = append(m.Aliases, alias)
		}
	}
	slices.Sort(m.Aliases)
	for i := range route.Targets {
		t := &route.Targets[i]
		m.Targets = append(m.Targets, t.Model)
		target := knownTarget(built, t)
		if target == nil && t.Own != nil {
			_, model, _ := strings.Cut(t.Model, "/")
			target = r.describe(t.Own, &gptv1.Model{ProviderModel: model})
		}
		if target != nil {
			narrow(m, target)
		}
	}
	if len(m.GetCapabilities()) == 0 {
		m.Capabilities = []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT}
	}
	return m
}

// knownTarget finds what the lists say of a route's target.
func knownTarget(built *index, t *RouteTarget) *gptv1.Model {
	if t.Own != nil {
		return nil
	}
	if prefix, rest, ok := strings.Cut(t.Model, "/"); ok {
		for _, target := range built.byName[rest] {
			if target.Entry.Info.Name == prefix {
				return target.Model
			}
		}
	}
	if all := built.byName[t.Model]; len(all) > 0 {
		return all[0].Model
	}
	return nil
}

// narrow keeps of a route what every target can do: a call may go to any.
func narrow(m, target *gptv1.Model) {
	if m.GetWire() == 0 {
		m.Wire, m.Prices = target.GetWire(), target.GetPrices()
		m.Capabilities = slices.Clone(target.GetCapabilities())
	} else {
		m.Capabilities = slices.DeleteFunc(m.Capabilities, func(c gptv1.Capability) bool {
			return !slices.Contains(target.GetCapabilities(), c)
		})
	}
	m.ContextLength = least(m.GetContextLength(), target.GetContextLength())
	m.MaxOutputTokens = least(m.GetMaxOutputTokens(), target.GetMaxOutputTokens())
	m.EmbeddingLength = least(m.GetEmbeddingLength(), target.GetEmbeddingLength())
	m.TestModel = m.GetTestModel() || target.GetTestModel()
}

// least is the lesser of two where 0 is unknown.
func least(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

package registry

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider/echo"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Target is a model at a provider.
type Target struct {
	// Entry is the provider.
	Entry *Entry
	// Model describes the model; read-only.
	Model *gptv1.Model
	// Listed says that the provider's list has it.
	Listed bool

	places atomic.Pointer[[]*Place]
}

// Places are where the model can be called: one for each key of the provider, in
// the order of the configuration. Read-only.
func (t *Target) Places() []*Place {
	if known := t.places.Load(); known != nil {
		return *known
	}
	places := make([]*Place, 0, len(t.Entry.Lanes))
	for _, lane := range t.Entry.Lanes {
		places = append(places, lane.Place(t.Entry.Info.Name, t.Name()))
	}
	t.places.Store(&places)
	return places
}

// Name is the provider's own name of the model.
func (t *Target) Name() string { return t.Model.GetProviderModel() }

// Quirks are deviations of the model that the catalogue knows.
func (r *Registry) Quirks(t *Target) []string {
	if !t.Entry.Official {
		return nil
	}
	if known := r.cfg.Catalog.Model(t.Entry.Descriptor.Name, t.Name()); known != nil {
		return known.Quirks
	}
	return nil
}

// Resolve finds who answers for a model's name, in this order: an alias;
// "provider/name"; a name in a list; a name that the catalogue knows to be a
// provider's own; the one provider that has no list. Empty and "auto" give the
// default. Errors: MODEL_NOT_FOUND; PROVIDER_UNREACHABLE where a provider that may
// have the model could not be asked; NO_DEFAULT_MODEL, PROVIDER_NOT_CONFIGURED.
//
// A route's name gives the first of its targets that there is; Plan gives all.
func (r *Registry) Resolve(ctx context.Context, name string) (*Target, error) {
	if route := r.route(name); route != nil {
		return r.first(ctx, route)
	}
	if name == "" || name == "auto" {
		return r.Default(ctx)
	}
	return r.named(ctx, name)
}

// PlanEmbedding is Plan with the default for embeddings. Of a route it has the
// targets of one model alone, that of the first: vectors of two models cannot be
// compared.
func (r *Registry) PlanEmbedding(ctx context.Context, name string) (Plan, error) {
	if name == "" || name == "auto" {
		name = r.cfg.DefaultEmbeddingModel
	}
	if name == "" || r.Route(name) == nil {
		target, err := r.embedding(ctx, name)
		if err != nil {
			return Plan{}, err
		}
		return PlanFor(target), nil
	}
	plan, err := r.Plan(ctx, name)
	if err != nil {
		return Plan{}, err
	}
	model := plan.Options[0].Target.Name()
	plan.Options = slices.DeleteFunc(plan.Options, func(o Option) bool { return o.Target.Name() != model })
	return plan, nil
}

// embedding finds a model that is no route's, or without a name the only one for
// embeddings.
func (r *Registry) embedding(ctx context.Context, name string) (*Target, error) {
	if name != "" {
		return r.named(ctx, name)
	}
	r.settle(ctx)
	var found []*gptv1.Model
	for _, m := range r.index.Load().models {
		if slices.Contains(m.GetCapabilities(), gptv1.Capability_CAPABILITY_EMBEDDING) && !m.GetTestModel() {
			found = append(found, m)
		}
	}
	if len(found) == 1 {
		return r.named(ctx, found[0].GetId())
	}
	if e := r.Entry(echo.Model); e != nil && !r.anyReal() {
		return r.named(ctx, echo.Model)
	}
	return nil, noDefault("default_embedding_model")
}

func (r *Registry) named(ctx context.Context, name string) (*Target, error) {
	if to := r.cfg.Aliases[name]; to != "" {
		name = to
	}
	if echo.Names(name) {
		if e := r.Entry(echo.Model); e != nil {
			return r.pass(e, name), nil
		}
		return nil, r.notFound(name)
	}
	if t := r.listed(name); t != nil {
		return t, nil
	}
	// A name that no list has: perhaps a list is still to come.
	r.settle(ctx)
	if t := r.listed(name); t != nil {
		return t, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return r.unlisted(name)
}

// listed finds a name in the lists that are known now. "provider/name" means
// that provider where there is one, also where another lists such a name.
func (r *Registry) listed(name string) *Target {
	built := r.index.Load()
	if prefix, rest, ok := strings.Cut(name, "/"); ok {
		if e := r.Entry(prefix); e != nil && e.Provider != nil {
			for _, t := range built.byName[rest] {
				if t.Entry == e {
					r.keepFresh(e)
					return t
				}
			}
			return nil
		}
	}
	if all := built.byName[name]; len(all) > 0 {
		r.keepFresh(all[0].Entry)
		return all[0]
	}
	return nil
}

// keepFresh renews an old list without waiting.
func (r *Registry) keepFresh(e *Entry) {
	if e.lists() && !r.fresh(e) {
		r.refresh(e)
	}
}

// settle waits until servers were looked for once and every list was asked for
// once. Lists that are old, or failed before, are asked for without waiting.
func (r *Registry) settle(ctx context.Context) {
	select {
	case <-r.ready:
	case <-ctx.Done():
		return
	}
	var waits []<-chan struct{}
	for _, e := range r.Entries() {
		if !e.lists() || r.fresh(e) {
			continue
		}
		first := !e.list.settled()
		if wait := r.refresh(e); first {
			waits = append(waits, wait)
		}
	}
	for _, wait := range waits {
		select {
		case <-wait:
		case <-ctx.Done():
			return
		}
	}
}

// unlisted finds who takes a name that no list has.
func (r *Registry) unlisted(name string) (*Target, error) {
	if prefix, rest, ok := strings.Cut(name, "/"); ok && rest != "" {
		if e := r.Entry(prefix); e != nil {
			if e.Provider == nil {
				return nil, notConfigured(e.Info.Name, e.Missing)
			}
			return r.pass(e, rest), nil
		}
		if p := r.cfg.Catalog.Provider(prefix); p != nil {
			return nil, notConfigured(p.Name, p.KeyEnv)
		}
	}
	if owner := r.cfg.Catalog.Owner(name); owner != nil {
		if e := r.Entry(owner.Name); e != nil && e.Provider != nil && (e.Official || !e.Listed().Known) {
			return r.pass(e, name), nil
		} else if e == nil || e.Provider == nil {
			if t := r.onlyUnknown(name); t != nil {
				return t, nil
			}
			return nil, notConfigured(owner.Name, owner.KeyEnv)
		}
	}
	if t := r.onlyUnknown(name); t != nil {
		return t, nil
	}
	if away := r.unheard(); len(away) > 0 {
		return nil, unheard(name, away)
	}
	return nil, r.notFound(name)
}

// unheard are the providers whose lists were never read because they cannot be
// reached: what they have is not known.
func (r *Registry) unheard() (names []string) {
	for _, e := range r.Entries() {
		if listed := e.Listed(); e.lists() && !listed.Known && fault.Is(listed.Err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE) {
			names = append(names, e.Info.Name)
		}
	}
	return names
}

// onlyUnknown is the name at the one provider whose models cannot be known.
func (r *Registry) onlyUnknown(name string) *Target {
	var found *Entry
	for _, e := range r.Entries() {
		if e.Provider == nil || e.Info.Test || e.Listed().Known {
			continue
		}
		if found != nil {
			return nil
		}
		found = e
	}
	if found == nil {
		return nil
	}
	return r.pass(found, name)
}

// pass describes a model that no list has.
func (r *Registry) pass(e *Entry, name string) *Target {
	base := &gptv1.Model{ProviderModel: name}
	if e.Info.Test {
		// Options stand behind the name of the test model.
		for _, t := range r.index.Load().byName[echo.Model] {
			base = proto.Clone(t.Model).(*gptv1.Model)
			base.ProviderModel = name
		}
		base.TestModel = true
	}
	m := r.describe(e, base)
	m.Id = name
	if !e.Info.Test {
		m.Id = e.Info.Name + "/" + name
	}
	return &Target{Entry: e, Model: m}
}

// Default is the model for turns without a model.
func (r *Registry) Default(ctx context.Context) (*Target, error) {
	if r.cfg.DefaultModel != "" {
		if route := r.Route(r.cfg.DefaultModel); route != nil {
			return r.first(ctx, route)
		}
		return r.named(ctx, r.cfg.DefaultModel)
	}
	if t := r.knownDefault(); t != nil && r.isReady() {
		return t, nil
	}
	r.settle(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if t := r.knownDefault(); t != nil {
		return t, nil
	}
	if e := r.Entry(echo.Model); e != nil && !r.anyReal() {
		return r.pass(e, echo.Model), nil
	}
	return nil, noDefault("default_model")
}

func (r *Registry) isReady() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

// knownDefault is the default of the one real provider that has one: the
// catalogue's at its official address, or the only chat model that it lists.
func (r *Registry) knownDefault() *Target {
	var found *Target
	for _, e := range r.Entries() {
		if e.Provider == nil || e.Info.Test {
			continue
		}
		name := ""
		if e.Official {
			name = e.Descriptor.DefaultModel
		}
		if name == "" {
			name = onlyChatModel(e)
		}
		if name == "" {
			continue
		}
		if found != nil {
			return nil
		}
		if found = r.listed(e.Info.Name + "/" + name); found == nil {
			found = r.pass(e, name)
		}
	}
	return found
}

func onlyChatModel(e *Entry) string {
	name := ""
	for _, m := range e.Listed().Models {
		capabilities := m.GetCapabilities()
		if len(capabilities) == 0 {
			capabilities = guess(m.GetProviderModel())
		}
		if !slices.Contains(capabilities, gptv1.Capability_CAPABILITY_CHAT) {
			continue
		}
		if name != "" {
			return ""
		}
		name = m.GetProviderModel()
	}
	return name
}

// anyReal says that a provider beside the test one is configured.
func (r *Registry) anyReal() bool {
	return slices.ContainsFunc(r.Entries(), func(e *Entry) bool { return !e.Info.Test })
}

// Models are the models known now, by id; read-only. Default marks the default.
func (r *Registry) Models() []*gptv1.Model { return r.index.Load().models }

func noDefault(key string) error {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL,
		"the request names no model and there is no default: name one, or set gpt."+key)
}

func notConfigured(provider, variable string) error {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_NOT_CONFIGURED,
		"the provider "+provider+" is not configured: set "+variable, "provider", provider, "variable", variable)
}

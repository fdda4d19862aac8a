// Package registry knows the configured providers and which of them has a
// model. Lists of models are asked for in the background and kept: finding a
// model that was listed costs one look into a map.
package registry

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
)

// Config sets up a Registry.
type Config struct {
	// Catalog is what is known without asking.
	Catalog *catalog.Catalog
	// DefaultModel and DefaultEmbeddingModel are where calls without a model
	// go. May be empty.
	DefaultModel, DefaultEmbeddingModel string
	// Aliases are other names of models.
	Aliases map[string]string
	// Routes are names that lead to several targets, by name.
	Routes map[string]*Route
	// Override changes what is known of a model, given its provider's name of
	// it. May be nil.
	Override func(provider string, model *gptv1.Model)
	// TTL, ErrorTTL and Timeout are those of lists.
	TTL, ErrorTTL, Timeout time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Registry is safe for concurrent use.
type Registry struct {
	cfg Config

	mu      sync.Mutex
	entries []*Entry // in the order of precedence
	closed  bool
	ready   chan struct{} // closed once discovery has looked for the first time

	index  atomic.Pointer[index]
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// New returns a registry of entries, of which earlier ones come first where
// several have a model of one name. Close must be called.
func New(cfg Config, entries []*Entry) *Registry {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Registry{cfg: cfg, entries: entries, ctx: ctx, cancel: cancel, ready: make(chan struct{})}
	for _, entry := range entries {
		r.seed(entry)
	}
	r.rebuild()
	return r
}

// seed fills the lists that need no asking.
func (r *Registry) seed(entry *Entry) {
	if entry.Provider == nil {
		return
	}
	for _, name := range entry.FixedModels {
		entry.list.models = append(entry.list.models, &gptv1.Model{ProviderModel: name})
		entry.list.known = true
	}
}

// Discovered says that whoever looks for servers has looked once.
func (r *Registry) Discovered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.ready:
	default:
		close(r.ready)
	}
}

// Add takes in a provider that was found.
func (r *Registry) Add(entry *Entry) {
	r.mu.Lock()
	r.entries = append(slices.Clone(r.entries), entry)
	r.mu.Unlock()
	r.rebuild()
	r.refresh(entry)
}

// Entries are the providers, in the order of precedence.
func (r *Registry) Entries() []*Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries
}

// Entry returns the provider of this name, or nil.
func (r *Registry) Entry(name string) *Entry {
	for _, entry := range r.Entries() {
		if entry.Info.Name == name {
			return entry
		}
	}
	return nil
}

// Warm asks for every list in the background.
func (r *Registry) Warm() {
	for _, entry := range r.Entries() {
		r.refresh(entry)
	}
}

// Close ends what runs in the background and waits for it.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.group.Wait()
}

// Refresh asks for the lists that are not fresh. It waits, as long as ctx lets
// it, for those that were never asked for; others are renewed in the background.
func (r *Registry) Refresh(ctx context.Context) { r.settle(ctx) }

// Renew asks for a list that is known to have changed, and waits for it as long
// as ctx lets it.
func (r *Registry) Renew(ctx context.Context, entry *Entry) {
	entry.list.mu.Lock()
	entry.list.again = entry.list.refreshing != nil
	entry.list.mu.Unlock()
	select {
	case <-r.refresh(entry):
	case <-ctx.Done():
	}
}

// fresh says that asking again would be too early. A list is not fresh before it
// can be found in the index.
func (r *Registry) fresh(entry *Entry) bool {
	entry.list.mu.Lock()
	defer entry.list.mu.Unlock()
	if !entry.list.indexed {
		return false
	}
	ttl := r.cfg.TTL
	if entry.list.err != nil {
		ttl = r.cfg.ErrorTTL
	}
	return r.cfg.Now().Sub(entry.list.checked) < ttl
}

var done = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// refresh asks for a list in the background, once at a time, and returns what
// is closed when it is there.
func (r *Registry) refresh(entry *Entry) <-chan struct{} {
	if !entry.lists() {
		return done
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	entry.list.mu.Lock()
	defer entry.list.mu.Unlock()
	if entry.list.refreshing != nil {
		return entry.list.refreshing
	}
	if r.closed {
		return done
	}
	finished := make(chan struct{})
	entry.list.refreshing = finished
	r.group.Go(func() {
		for again := true; again; {
			r.ask(entry)
			r.rebuild()
			again = entry.list.settle()
		}
		close(finished)
	})
	return finished
}

// ask asks for a list.
func (r *Registry) ask(entry *Entry) {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timeout)
	defer cancel()
	models, err := entry.Provider.Models(ctx)
	entry.list.mu.Lock()
	defer entry.list.mu.Unlock()
	entry.list.checked, entry.list.err = r.cfg.Now(), err
	if err == nil {
		entry.list.models, entry.list.known, entry.list.fetched = models, true, entry.list.checked
	}
}

// index is who has which model, rebuilt when a list comes.
type index struct {
	byName map[string][]*Target // by the provider's own name, in order of precedence
	models []*gptv1.Model       // sorted by id
}

func (r *Registry) rebuild() {
	r.mu.Lock()
	defer r.mu.Unlock()
	built := &index{byName: map[string][]*Target{}}
	var targets []*Target
	for _, entry := range r.entries {
		for _, listed := range entry.Listed().Models {
			target := &Target{Entry: entry, Model: r.describe(entry, listed), Listed: true}
			name := listed.GetProviderModel()
			built.byName[name] = append(built.byName[name], target)
			if short, ok := strings.CutSuffix(name, ":latest"); ok {
				built.byName[short] = append(built.byName[short], target)
			}
			targets = append(targets, target)
		}
	}
	for _, target := range targets {
		name := target.Model.GetProviderModel()
		target.Model.Id = name
		if len(built.byName[name]) > 1 {
			target.Model.Id = target.Entry.Info.Name + "/" + name
		}
		for alias, to := range r.cfg.Aliases {
			if to == target.Model.GetId() || to == target.Entry.Info.Name+"/"+name || to == name && built.byName[name][0] == target {
				target.Model.Aliases = append(target.Model.Aliases, alias)
			}
		}
		slices.Sort(target.Model.Aliases)
		built.models = append(built.models, target.Model)
	}
	r.describeRoutes(built)
	slices.SortFunc(built.models, func(a, b *gptv1.Model) int { return strings.Compare(a.GetId(), b.GetId()) })
	r.index.Store(built)
}

package registry

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/services/gpt/internal/limiter"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
)

// maxPlaces bounds the models of a lane that are watched one by one. Names come
// from clients; those beyond share one place.
const maxPlaces = 512

// Lane is one way to a provider: one key at one address.
type Lane struct {
	// Key is the label of the key: the variable that held it, or its number in
	// the configuration. Empty where there is no key.
	Key string
	// Suffix is what tells the lane from others of its provider in the name of
	// a place: "#" and the key's label, "@" and the region. Empty where it is
	// the only one.
	Suffix string
	// Provider makes the calls.
	Provider provider.Provider
	// Limiter bounds calls under way.
	Limiter *limiter.Limiter
	// Breaker makes the breaker of a place. Nil for the test provider, whose
	// failures are what clients ask for.
	Breaker func() *breaker.Breaker

	mu     sync.Mutex
	places map[string]*Place
}

// Place is one model over one lane: what breaks, is slow, or is limited by
// itself.
type Place struct {
	// Name is "provider/model" and the lane's suffix.
	Name string
	// Lane is the way there.
	Lane *Lane
	// Breaker keeps calls away while it fails. Nil for the test provider.
	Breaker *breaker.Breaker
	// Latency is how long it takes to begin an answer.
	Latency Latency
	// Quota is what it said of its own limits.
	Quota Quota
}

// Place returns the place of a model, which is kept.
func (l *Lane) Place(provider, model string) *Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The test model's options stand behind its name.
	model, _, _ = strings.Cut(model, "?")
	if p := l.places[model]; p != nil {
		return p
	}
	name := provider + "/" + model + l.Suffix
	if len(l.places) >= maxPlaces {
		model, name = "", provider+"/…"+l.Suffix
		if p := l.places[model]; p != nil {
			return p
		}
	}
	p := &Place{Name: name, Lane: l}
	if l.Breaker != nil {
		p.Breaker = l.Breaker()
	}
	if l.places == nil {
		l.places = map[string]*Place{}
	}
	l.places[model] = p
	return p
}

// Places are the places known, by name.
func (l *Lane) Places() []*Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Values(l.places), func(a, b *Place) int { return strings.Compare(a.Name, b.Name) })
}

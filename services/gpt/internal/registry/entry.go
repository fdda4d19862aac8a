package registry

import (
	"sync"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
)

// Entry is one configured provider with all that belongs to it.
type Entry struct {
	// Info describes it; BaseURL may be empty where it is not configured.
	Info provider.Info
	// Provider makes the calls. Nil where a key is missing.
	Provider provider.Provider
	// Missing is the variable to set where Provider is nil.
	Missing string
	// Descriptor is what the catalogue says of it.
	Descriptor catalog.Provider
	// Official says that it is at its official address, so that its default
	// model is there.
	Official bool
	// FixedModels are the names given in the configuration.
	FixedModels []string
	// Lanes are the ways to it, one for each key. Empty where Provider is nil;
	// otherwise Provider is the first one's.
	Lanes []*Lane
	// Budget bounds retries.
	Budget *Budget

	list listing
}

// listing is the last list of models.
type listing struct {
	mu         sync.Mutex
	models     []*gptv1.Model
	known      bool // a list has come at least once
	fetched    time.Time
	checked    time.Time
	err        error
	indexed    bool          // what came of the first asking is in the index
	refreshing chan struct{} // until the index has what is being asked for
	again      bool          // what is being asked for is old already
}

// settled says that what came of the first asking is in the index.
func (l *listing) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.indexed
}

// settle ends an asking whose outcome is in the index, and says whether to ask
// again.
func (l *listing) settle() (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.indexed = true
	if again, l.again = l.again, false; !again {
		l.refreshing = nil
	}
	return again
}

// Listed is a list of models as it is now.
type Listed struct {
	// Models are the last ones that came; read-only.
	Models []*gptv1.Model
	// Known says that a list has come.
	Known bool
	// Checked is when it was last asked for.
	Checked time.Time
	// Err is why the last asking failed.
	Err error
}

// Listed returns the list as it is now.
func (e *Entry) Listed() Listed {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return Listed{Models: e.list.models, Known: e.list.known, Checked: e.list.checked, Err: e.list.err}
}

// lists says that the provider has a list to be asked for.
func (e *Entry) lists() bool {
	return e.Provider != nil && !e.Descriptor.NoListing && len(e.FixedModels) == 0
}

// Budget bounds retries to a share of all calls, beyond a few free ones. It is
// safe for concurrent use.
type Budget struct {
	mu    sync.Mutex
	share float64
	left  float64
}

// free is how many retries a provider with few calls may make.
const free = 10

// NewBudget returns a budget of share retries per call.
func NewBudget(share float64) *Budget { return &Budget{share: share, left: free} }

// Call counts a call.
func (b *Budget) Call() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+b.share, free)
}

// Retry takes one retry from the budget and says whether there was one.
func (b *Budget) Retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

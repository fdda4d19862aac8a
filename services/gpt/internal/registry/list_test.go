package registry

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
)

// lister is a provider of which only the list is asked for.
type lister struct {
	provider.Provider
	names []string
}

func (l lister) Models(context.Context) ([]*gptv1.Model, error) {
	var models []*gptv1.Model
	for _, name := range l.names {
		models = append(models, &gptv1.Model{ProviderModel: name})
	}
	return models, nil
}

// Whoever asks for a model while the first list comes waits until it can be found.
func TestTheFirstListIsWaitedFor(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 300 {
		names = append(names, "m"+strconv.Itoa(i))
	}
	for range 100 {
		r := New(Config{Catalog: &catalog.Catalog{}, TTL: time.Hour, ErrorTTL: time.Hour, Timeout: time.Minute, Now: time.Now},
			[]*Entry{{Info: provider.Info{Name: "p"}, Provider: lister{names: names}}})
		r.Discovered()
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				if _, err := r.Resolve(t.Context(), "m299"); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		r.Close()
	}
}

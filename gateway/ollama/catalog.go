package ollama

import (
	"context"
	"strings"
	"sync"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// catalogAge is how old the known names may be when one is not among them.
const catalogAge = 5 * time.Second

// catalog finds models by the names that Ollama's clients use. It is safe for
// concurrent use.
type catalog struct {
	gpt gptv1.GPTServiceCaller

	mu     sync.RWMutex
	exact  map[string]bool   // ids and aliases
	folded map[string]string // lower case without ":latest" → id
	loaded time.Time

	loading sync.Mutex
}

func newCatalog(gpt gptv1.GPTServiceCaller) *catalog {
	return &catalog{gpt: gpt, folded: map[string]string{}}
}

// resolve is the id or alias of the model that is asked for; name itself where
// none is known. Names that are spelled exactly win.
func (c *catalog) resolve(ctx context.Context, name string) string {
	if name == "" {
		return ""
	}
	if id, ok := c.find(name); ok {
		return id
	}
	c.reload(ctx)
	if id, ok := c.find(name); ok {
		return id
	}
	return name
}

func (c *catalog) find(name string) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.exact[name] {
		return name, true
	}
	id, ok := c.folded[fold(name)]
	return id, ok
}

// reload asks for the models, unless that was done just now. One caller asks at
// a time.
func (c *catalog) reload(ctx context.Context) {
	c.loading.Lock()
	defer c.loading.Unlock()
	c.mu.RLock()
	fresh := time.Since(c.loaded) < catalogAge
	c.mu.RUnlock()
	if fresh {
		return
	}
	// Names that cannot be learned are left to the rooms.
	_, _ = c.list(ctx)
}

// list returns all models and learns their names.
func (c *catalog) list(ctx context.Context) ([]*gptv1.Model, error) {
	models, err := listModels(ctx, c.gpt)
	if err != nil {
		return nil, err
	}
	exact, folded := make(map[string]bool, len(models)), make(map[string]string, len(models))
	for _, m := range models {
		exact[m.GetId()] = true
		if _, taken := folded[fold(m.GetId())]; !taken {
			folded[fold(m.GetId())] = m.GetId()
		}
	}
	for _, m := range models {
		for _, alias := range m.GetAliases() {
			exact[alias] = true
			if _, taken := folded[fold(alias)]; !taken {
				folded[fold(alias)] = alias
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exact, c.folded, c.loaded = exact, folded, time.Now()
	return models, nil
}

// maxPages bounds a listing.
const maxPages = 100

func listModels(ctx context.Context, gpt gptv1.GPTServiceCaller) ([]*gptv1.Model, error) {
	var models []*gptv1.Model
	request := &gptv1.ListModelsRequest{}
	for range maxPages {
		resp, err := gpt.ListModels(ctx, request)
		if err != nil {
			return nil, err
		}
		models = append(models, resp.GetModels()...)
		if resp.GetNextPageToken() == "" {
			break
		}
		request = &gptv1.ListModelsRequest{PageToken: resp.GetNextPageToken()}
	}
	return models, nil
}

// fold makes names alike that mean the same.
func fold(name string) string { return strings.TrimSuffix(strings.ToLower(name), ":latest") }

// notFoundAs words an unknown model with the name as asked.
func notFoundAs(err error, asked string) error {
	if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND) {
		return err
	}
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "model '"+asked+"' not found", "model", asked)
}

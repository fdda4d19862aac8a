package compat

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// wires are the provider's wires with a model of each.
var wires = []struct{ name, model string }{{"openai", "oscar-large"}, {"anthropic", "anton-large"}, {"ollama", "ollie-large"}}

// world is a mesh with its provider, for all tests of this package.
type world struct {
	*harness.Mesh
	provider *provider.Provider
}

// known is what a newcomer among models has to be told of: the mesh makes
// nothing up about it.
var known = map[string]any{"context_length": 131072, "capabilities": []string{"chat", "tools", "vision", "reasoning"}}

func start(t *testing.T) *world {
	t.Helper()
	p := provider.Start(t, provider.Config{OpenAI: []string{wires[0].model, "oscar-embed"}, Anthropic: []string{wires[1].model}, Ollama: []string{wires[2].model, "ollie-embed"}})
	mesh := harness.Start(t, harness.Config{Provider: p, Settings: map[string]any{"gpt": map[string]any{
		"discovery": map[string]any{"enabled": false},
		"breaker":   map[string]any{"failures": 1 << 30},
		"retry":     map[string]any{"max_attempts": 1},
		"models":    map[string]any{wires[0].model: known, wires[1].model: known},
	}}})
	return &world{Mesh: mesh, provider: p}
}

// feature is one thing that a client can do with a wire.
type feature struct {
	name string
	// wires are those that have it; nil means all.
	wires []string
	run   func(t *testing.T, w *world, model, scene string)
}

// client is a library, or parsers, under test.
type client struct {
	title string
	face  string // the path of the mesh that it speaks to
	// packages are its modules, whose versions the matrix has.
	packages []string
}

// runAll runs features over every wire and tells the outcome as a table, and as
// cells of the matrix where it is written.
func runAll(t *testing.T, w *world, c client, features []feature) {
	var mu sync.Mutex
	outcome := map[string]string{}
	t.Cleanup(func() {
		var table strings.Builder
		fmt.Fprintf(&table, "\n%-34s", c.title)
		for _, wire := range wires {
			fmt.Fprintf(&table, "%-11s", wire.name)
		}
		for _, f := range features {
			fmt.Fprintf(&table, "\n%-34s", f.name)
			for _, wire := range wires {
				fmt.Fprintf(&table, "%-11s", outcome[f.name+wire.name])
			}
		}
		t.Log(table.String())
		record(t, c, features, outcome)
	})
	for _, f := range features {
		for _, wire := range wires {
			if f.wires != nil && !slices.Contains(f.wires, wire.name) {
				outcome[f.name+wire.name] = "–"
				continue
			}
			t.Run(f.name+" over "+wire.name, func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() {
					mu.Lock()
					defer mu.Unlock()
					outcome[f.name+wire.name] = "passes"
					if t.Failed() {
						outcome[f.name+wire.name] = "FAILS"
					}
				})
				f.run(t, w, wire.model, t.Name())
			})
		}
	}
}

// schema has members in an order that sorting would break.
const schema = `{"type":"object","properties":{"zebra":{"type":"string"},"apple":{"type":"integer"}},"required":["zebra","apple"],"additionalProperties":false}`

// pixel is a picture of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// brokenOff are ways in which an answer does not reach its end.
var brokenOff = map[string]provider.Step{"error": provider.Fail("the model fell over"), "end": provider.Truncate()}

// breakOff has an answer begin, and break off when the client has called seen.
func (w *world) breakOff(scene string, end provider.Step) (seen func()) {
	begun := make(chan struct{})
	w.provider.Script(scene, provider.Say("one two three").Then(provider.Wait(begun), end))
	return sync.OnceFunc(func() { close(begun) })
}

// bodyHolds checks the body that the provider was sent.
func (w *world) bodyHolds(t *testing.T, scene string, n int, texts ...string) {
	t.Helper()
	body := string(w.provider.Await(t, scene, n).Body)
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("the provider was not sent %q:\n%s", text, body)
		}
	}
}

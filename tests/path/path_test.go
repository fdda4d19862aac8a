package path

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The models of the scripted provider, one for each wire.
const (
	openAIModel    = "oscar-large"
	anthropicModel = "anton-large"
	ollamaModel    = "ollie-large"
)

var wires = []struct{ name, model string }{
	{"openai", openAIModel}, {"anthropic", anthropicModel}, {"ollama", ollamaModel},
}

// startProvider starts a provider with one model for each wire.
func startProvider(t *testing.T) *provider.Provider {
	return provider.Start(t, provider.Config{
		OpenAI: []string{openAIModel}, Anthropic: []string{anthropicModel}, Ollama: []string{ollamaModel},
	})
}

// settings are those of all path tests: nothing of this machine is looked for,
// failures do not shut the provider out, and a dead process is noticed soon.
func settings() map[string]any {
	return map[string]any{
		"gpt": map[string]any{
			"discovery": map[string]any{"enabled": false},
			"breaker":   map[string]any{"failures": 1 << 30},
			"retry":     map[string]any{"max_attempts": 2, "base_delay": "1ms", "max_delay": "5ms", "budget": 1},
			"ledger":    map[string]any{"heartbeat": "300ms", "grace": "1500ms"},
		},
		"request":  map[string]any{"heartbeat_interval": "300ms", "dead_after": "1500ms", "retry_interval": "200ms", "poll_interval": "50ms"},
		"response": map[string]any{"heartbeat_interval": "300ms", "dead_after": "1500ms", "retry_interval": "200ms", "watch_poll_interval": "50ms"},
	}
}

// world is a mesh and its provider.
type world struct {
	*harness.Mesh
	provider *provider.Provider
}

func start(t *testing.T, c harness.Combination) *world {
	t.Helper()
	return startWith(t, harness.Config{Combination: c, Settings: settings()})
}

func startWith(t *testing.T, config harness.Config) *world {
	t.Helper()
	w := &world{provider: startProvider(t)}
	config.Provider = w.provider
	w.Mesh = harness.Start(t, config)
	return w
}

// limit is a context that ends with the test, or when the test has waited too
// long.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	t.Cleanup(cancel)
	return ctx
}

// ask asks for an answer and expects that the call did not break off.
func (w *world) ask(t *testing.T, f face.Face, ask face.Ask) face.Answer {
	t.Helper()
	answer, err := f.Ask(limit(t), w.Mesh, ask)
	if err != nil {
		t.Fatalf("%s: %v\n%s", f.Name(), err, answer.Body)
	}
	return answer
}

// eachWay runs body over every face, streamed and not. scene names the script of that
// run.
func eachWay(t *testing.T, body func(t *testing.T, f face.Face, stream bool, scene string)) {
	everyWay(func(name string, f face.Face, stream bool) {
		t.Run(name, func(t *testing.T) { body(t, f, stream, t.Name()) })
	})
}

// eachWayAtOnce is eachWay side by side, for what waits more than it works: it takes no
// other test's place.
func eachWayAtOnce(t *testing.T, body func(t *testing.T, f face.Face, stream bool, scene string)) {
	var all sync.WaitGroup
	everyWay(func(name string, f face.Face, stream bool) {
		all.Go(func() { t.Run(name, func(t *testing.T) { body(t, f, stream, t.Name()) }) })
	})
	all.Wait()
}

func everyWay(each func(name string, f face.Face, stream bool)) {
	for _, f := range face.All() {
		each(f.Name()+"/stream", f, true)
		each(f.Name()+"/whole", f, false)
	}
}

// eventually waits for a state that other processes reach.
func eventually(t *testing.T, done func() error) {
	t.Helper()
	var last error
	harness.Poll(t, func() bool { last = done(); return last == nil }, func() string { return "not reached: " + last.Error() })
}

// waited bounds the wait for a signal from the scripted provider.
func waited(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(harness.Patience):
		t.Fatalf("%s did not come", what)
	}
}

package provider

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"
)

// Provider is three scripted servers and what they were asked.
type Provider struct {
	// OpenAI, Anthropic and Ollama are the servers.
	OpenAI, Anthropic, Ollama *Wire

	mu      sync.Mutex
	scripts map[string]func(n int) Script
	calls   []*Call
	counts  map[string]int
	changed chan struct{} // closed and made anew at each call
}

// Wire is one server.
type Wire struct {
	// Name is openai, anthropic or ollama.
	Name string
	// URL is its address, "http://127.0.0.1:1234".
	URL string
	// Models are those it lists, in order.
	Models []string

	server *http.Server
}

// Config says what is listed.
type Config struct {
	// OpenAI, Anthropic and Ollama are the models of each wire. A name must
	// stand in one of them only.
	OpenAI, Anthropic, Ollama []string
}

// Start starts a provider that ends with the test. Calls without a script are
// answered with "Hello from MODEL.".
func Start(t testing.TB, config Config) *Provider {
	t.Helper()
	p := &Provider{scripts: map[string]func(int) Script{}, counts: map[string]int{}, changed: make(chan struct{})}
	p.OpenAI = p.wire(t, "openai", config.OpenAI, p.serveOpenAI)
	p.Anthropic = p.wire(t, "anthropic", config.Anthropic, p.serveAnthropic)
	p.Ollama = p.wire(t, "ollama", config.Ollama, p.serveOllama)
	return p
}

func (p *Provider) wire(t testing.TB, name string, models []string, routes func(*Wire, *http.ServeMux)) *Wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Name: name, URL: "http://" + listener.Addr().String(), Models: models}
	mux := http.NewServeMux()
	routes(w, mux)
	w.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() { defer close(served); _ = w.server.Serve(listener) }()
	t.Cleanup(func() {
		_ = w.server.Close()
		<-served
		// Handlers end when their connections do.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = w.server.Shutdown(ctx)
	})
	return w
}

// CloseIdle closes the connections on which nothing is asked.
func (p *Provider) CloseIdle() {
	for _, w := range []*Wire{p.OpenAI, p.Anthropic, p.Ollama} {
		w.server.SetKeepAlivesEnabled(false)
		w.server.SetKeepAlivesEnabled(true)
	}
}

// Script says what calls of a scene are answered from now on. A call's scene is
// what the last "[[…]]" in its body holds, or else its model.
func (p *Provider) Script(scene string, s Script) {
	p.ScriptEach(scene, func(int) Script { return s })
}

// ScriptEach says what the nth call of a scene is answered, from 0.
func (p *Provider) ScriptEach(scene string, script func(n int) Script) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts[scene] = script
}

// Prompt is a text that makes a call part of a scene.
func Prompt(scene string) string { return "Say your line. [[" + scene + "]]" }

var scenes = regexp.MustCompile(`\[\[([^\[\]]*)\]\]`)

func sceneOf(c *Call) string {
	if found := scenes.FindAllSubmatch(c.Body, -1); len(found) > 0 {
		return string(found[len(found)-1][1])
	}
	return c.Model
}

// Calls returns the calls of a scene so far, in order; all calls for "".
func (p *Provider) Calls(scene string) []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of(scene)
}

func (p *Provider) of(scene string) []*Call {
	if scene == "" {
		return slices.Clone(p.calls)
	}
	var out []*Call
	for _, c := range p.calls {
		if c.Scene == scene {
			out = append(out, c)
		}
	}
	return out
}

// Await returns the nth call of a scene, from 0, when it has come.
func (p *Provider) Await(t testing.TB, scene string, n int) *Call {
	t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		calls, changed := p.of(scene), p.changed
		p.mu.Unlock()
		if len(calls) > n {
			return calls[n]
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the provider was asked for %s %d times, want %d", scene, len(calls), n+1)
		}
	}
}

// begin notes a call and returns its script.
func (p *Provider) begin(c *Call) Script {
	c.ended, c.gone = make(chan struct{}), make(chan struct{})
	c.Scene = sceneOf(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.counts[c.Scene]
	p.counts[c.Scene]++
	p.calls = append(p.calls, c)
	close(p.changed)
	p.changed = make(chan struct{})
	if script := p.scripts[c.Scene]; script != nil {
		return script(n)
	}
	return Say(fmt.Sprintf("Hello from %s.", c.Model))
}

// known says whether the server lists a model.
func (w *Wire) known(model string) bool { return slices.Contains(w.Models, model) }

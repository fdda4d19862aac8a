package gpt_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// lists answers /models with these names.
func lists(names ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		var entries []string
		for _, name := range names {
			entries = append(entries, `{"id":"`+name+`","object":"model","created":1700000000,"owned_by":"x"}`)
		}
		io.WriteString(w, `{"object":"list","data":[`+strings.Join(entries, ",")+`]}`)
	}
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func get(t *testing.T, r *rig, name string) (*gptv1.Model, string) {
	t.Helper()
	resp, err := r.GetModel(t.Context(), &gptv1.GetModelRequest{Model: name})
	if err != nil {
		return nil, fault.ReasonName(fault.From(err).Reason)
	}
	return resp.GetModel(), ""
}

func TestModelsAreFound(t *testing.T) {
	t.Parallel()
	one := serve(t, lists("shared", "only-one", "tagged:latest"))
	two := serve(t, lists("shared", "only-two", "text-embed-x"))
	hidden := serve(t, http.NotFoundHandler())
	r := start(t, setup{
		config: func(c *gpt.Config) {
			c.Providers = map[string]gpt.ProviderConfig{
				"a-one": {BaseURL: one}, "b-two": {BaseURL: two}, "c-hidden": {BaseURL: hidden},
			}
			c.Aliases = map[string]string{"fast": "only-one", "both": "b-two/shared"}
			c.Models = map[string]gpt.ModelConfig{"a-one/only-one": {
				ContextLength: 777, Capabilities: []string{"chat", "tools"}, Prices: &gpt.PricesConfig{Input: 1, Output: 2},
			}}
		},
	})
	for name, want := range map[string]string{
		"only-one": "a-one only-one", "only-two": "b-two only-two", "a-one/only-one": "a-one only-one",
		"shared": "a-one shared", "b-two/shared": "b-two shared", "fast": "a-one only-one", "both": "b-two shared",
		"tagged": "a-one tagged:latest",
		// Nobody lists it, and one provider has no list.
		"strange": "c-hidden strange", "b-two/strange": "b-two strange", "c-hidden/x/y": "c-hidden x/y",
		"echo": "echo echo", "echo?delay=1ms": "echo echo?delay=1ms",
		"gpt-9": "c-hidden gpt-9",
	} {
		m, reason := get(t, r, name)
		if got := m.GetProvider() + " " + m.GetProviderModel(); got != want {
			t.Errorf("%s: %q %s, want %q", name, got, reason, want)
		}
	}
	for name, want := range map[string]string{
		"openai/gpt-4o": "PROVIDER_NOT_CONFIGURED", "": "NO_DEFAULT_MODEL", "auto": "NO_DEFAULT_MODEL",
	} {
		if _, reason := get(t, r, name); reason != want {
			t.Errorf("%q: %s, want %s", name, reason, want)
		}
	}
	m, _ := get(t, r, "fast")
	if m.GetContextLength() != 777 || m.GetPrices().GetOutputPerMillion() != 2 || m.GetPrices().GetCurrency() != "USD" ||
		!slices.Equal(m.GetAliases(), []string{"fast"}) || len(m.GetCapabilities()) != 2 {
		t.Errorf("%v", m)
	}

	list, err := r.ListModels(t.Context(), &gptv1.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range list.GetModels() {
		ids = append(ids, m.GetId())
	}
	if want := []string{"a-one/shared", "b-two/shared", "echo", "only-one", "only-two", "tagged:latest", "text-embed-x"}; !slices.Equal(ids, want) {
		t.Errorf("%v", ids)
	}
	if u := list.GetUnreachable(); len(u) != 1 || u[0].GetName() != "c-hidden" || u[0].GetReason() == "" {
		t.Errorf("unreachable: %v", u)
	}
	var paged []string
	for token := ""; ; {
		page, err := r.ListModels(t.Context(), &gptv1.ListModelsRequest{PageSize: 3, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.GetModels() {
			paged = append(paged, m.GetId())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if !slices.Equal(paged, ids) {
		t.Errorf("paged: %v", paged)
	}
}

func TestUnknownModels(t *testing.T) {
	t.Parallel()
	r := start(t, setup{config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{"one": {BaseURL: serve(t, lists("llama-3.3-70b", "qwen3"))}}
	}})
	_, err := r.GetModel(t.Context(), &gptv1.GetModelRequest{Model: "llama-3.3-70"})
	if f := fault.From(err); fault.ReasonName(f.Reason) != "MODEL_NOT_FOUND" || !strings.Contains(f.Message, "llama-3.3-70b") ||
		f.Metadata["model"] != "llama-3.3-70" {
		t.Error(err)
	}
	for name, variable := range map[string]string{"gpt-4o": "OPENAI_API_KEY", "claude-opus-5": "ANTHROPIC_API_KEY", "groq/x": "GROQ_API_KEY"} {
		_, err := r.GetModel(t.Context(), &gptv1.GetModelRequest{Model: name})
		if f := fault.From(err); f.Metadata["variable"] != variable || !strings.Contains(f.Message, variable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What cannot be reached may have the model: that is no 404, which a client
// would not ask again.
func TestAModelThatNobodyCouldBeAskedFor(t *testing.T) {
	t.Parallel()
	const gone = "http://127.0.0.1:1"
	r := start(t, setup{config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{
			"one": {BaseURL: serve(t, lists("here"))}, "two": {BaseURL: gone + "/a"}, "three": {BaseURL: gone + "/b"},
		}
	}})
	if _, reason := get(t, r, "here"); reason != "" {
		t.Error(reason)
	}
	_, err := r.GetModel(t.Context(), &gptv1.GetModelRequest{Model: "elsewhere"})
	if f := fault.From(err); fault.ReasonName(f.Reason) != "PROVIDER_UNREACHABLE" || !strings.Contains(f.Message, "three, two") ||
		f.Metadata["model"] != "elsewhere" {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	single := serve(t, lists("the-only", "some-embed"))
	many := serve(t, lists("m1", "m2"))
	for name, c := range map[string]struct {
		env    map[string]string
		config func(*gpt.Config)
		want   string
	}{
		"nothing configured":   {want: "echo"},
		"production":           {config: func(c *gpt.Config) { c.Production = true }, want: "NO_DEFAULT_MODEL"},
		"one that has one":     {env: map[string]string{"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": ""}, want: "claude-sonnet-5-5", config: noCalls},
		"one model listed":     {env: map[string]string{"OPENAI_BASE_URL": single}, want: "the-only"},
		"several models":       {env: map[string]string{"OPENAI_BASE_URL": many}, want: "NO_DEFAULT_MODEL"},
		"configured":           {env: map[string]string{"OPENAI_BASE_URL": many}, config: func(c *gpt.Config) { c.DefaultModel = "m2" }, want: "m2"},
		"a missing key is not": {config: func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"openai": {}} }, want: "NO_DEFAULT_MODEL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{env: c.env, config: c.config})
			m, reason := get(t, r, "")
			if got := m.GetProviderModel() + reason; got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if m != nil && !m.GetIsDefault() {
				t.Error("the default is not marked")
			}
			list, err := r.ListModels(t.Context(), &gptv1.ListModelsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list.GetModels() {
				if m.GetTestModel() != (m.GetId() == "echo") || m.GetTestModel() && name == "production" {
					t.Errorf("test model: %v", m)
				}
			}
		})
	}
}

// noCalls keeps a provider at its official address from being asked.
func noCalls(c *gpt.Config) {
	c.Providers = map[string]gpt.ProviderConfig{"anthropic": {Models: []string{"claude-sonnet-5-5", "claude-opus-5-5"}}}
}

func TestAMissingKeyIsShown(t *testing.T) {
	t.Parallel()
	r := start(t, setup{config: func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"openai": {}} }})
	resp, err := r.ListProviders(t.Context(), &gptv1.ListProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p := resp.GetProviders()[1]
	if p.GetState() != gptv1.Provider_STATE_NOT_CONFIGURED || !strings.Contains(p.GetReason(), "OPENAI_API_KEY") {
		t.Error(p)
	}
	if _, reason := get(t, r, "gpt-4o"); reason != "PROVIDER_NOT_CONFIGURED" {
		t.Error(reason)
	}
}

// Who asks for all that is known by name is told what each lacks, once.
func TestKnownProvidersAreShown(t *testing.T) {
	t.Parallel()
	r := start(t, setup{config: func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"openai": {}} }})
	resp, err := r.ListProviders(t.Context(), &gptv1.ListProvidersRequest{Known: true})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, p := range resp.GetProviders() {
		if _, twice := seen[p.GetName()]; twice {
			t.Errorf("%s is there twice", p.GetName())
		}
		if seen[p.GetName()] = p.GetReason(); p.GetState() == gptv1.Provider_STATE_NOT_CONFIGURED && !strings.HasPrefix(p.GetReason(), "set ") {
			t.Errorf("%v", p)
		}
	}
	if len(seen) < 30 || seen["groq"] != "set GROQ_API_KEY" || !strings.Contains(seen["openai"], "OPENAI_API_KEY") {
		t.Errorf("%v", seen)
	}
	if resp, err = start(t, setup{}).ListProviders(t.Context(), &gptv1.ListProvidersRequest{Known: true}); err != nil {
		t.Fatal(err)
	}
	for _, p := range resp.GetProviders() {
		if want := map[string]string{"openai": "set OPENAI_API_KEY", "ollama": "set OLLAMA_HOST"}[p.GetName()]; want != "" && p.GetReason() != want {
			t.Errorf("%s: %s, want %s", p.GetName(), p.GetReason(), want)
		}
	}
}

func TestCatalogueFillsWhatTheListLeavesOut(t *testing.T) {
	t.Parallel()
	r := start(t, setup{config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{"anthropic": {APIKey: "k", Models: []string{"claude-haiku-4-5-20251001"}}}
	}})
	m, _ := get(t, r, "claude-haiku-4-5-20251001")
	if m.GetContextLength() != 200000 || m.GetPrices().GetOutputPerMillion() != 5 || m.GetPrices().GetVersion() == "" {
		t.Error(m)
	}
}

// A list that came once is kept while its provider is away.
func TestListsOutliveTheirProvider(t *testing.T) {
	t.Parallel()
	away := make(chan struct{})
	calls := make(chan struct{}, 100)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- struct{}{}
		select {
		case <-away:
			w.WriteHeader(500)
		default:
			lists("kept")(w, r)
		}
	}))
	r := start(t, setup{env: map[string]string{"OPENAI_BASE_URL": url}, config: func(c *gpt.Config) {
		c.Listing.TTL, c.Listing.ErrorTTL = time.Nanosecond, time.Nanosecond
	}})
	if _, reason := get(t, r, "kept"); reason != "" {
		t.Fatal(reason)
	}
	close(away)
	for range 3 {
		if _, reason := get(t, r, "kept"); reason != "" {
			t.Fatal(reason)
		}
	}
}

func TestServersOnThisMachineAreFound(t *testing.T) {
	t.Parallel()
	ollama := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/version":
			io.WriteString(w, `{"version":"0.24.0"}`)
		case "/api/tags":
			io.WriteString(w, `{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","modified_at":"2026-01-01T00:00:00Z","size":5,"digest":"d","details":{"family":"llama","parameter_size":"3B","quantization_level":"Q4_K_M"}}]}`)
		case "/api/ps":
			io.WriteString(w, `{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest"}]}`)
		case "/api/show":
			io.WriteString(w, `{"capabilities":["completion","tools"],"model_info":{"general.architecture":"llama","llama.context_length":8192}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	// The mesh's own face must not be taken for a provider.
	own := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Gptmesh-Version", "1")
		io.WriteString(w, `{"data":[{"id":"x","owned_by":"llamacpp"}]}`)
	}))
	r := start(t, setup{config: func(c *gpt.Config) {
		c.Discovery.Enabled, c.Discovery.OllamaURL, c.Discovery.LlamaCppURL = true, ollama, own
		c.Discovery.Timeout = 5 * time.Second
	}})
	m, reason := get(t, r, "llama3.2")
	if reason != "" || m.GetProvider() != "ollama" || m.GetContextLength() != 8192 || !m.GetLoaded() || m.GetFamily() != "llama" || !m.GetIsDefault() {
		t.Errorf("%v %s", m, reason)
	}
	resp, err := r.ListProviders(t.Context(), &gptv1.ListProvidersRequest{})
	if err != nil || len(resp.GetProviders()) != 2 {
		t.Errorf("%v %v", resp, err)
	}
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	for key, change := range map[string]func(*gpt.Config){
		"gpt.timeouts.idle":         func(c *gpt.Config) { c.Timeouts.Idle = 0 },
		"gpt.retry.budget":          func(c *gpt.Config) { c.Retry.Budget = 2 },
		"gpt.providers.x.base_url":  func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"x": {}} },
		"gpt.providers.echo":        func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"echo": {BaseURL: "http://x"}} },
		"gpt.providers.openai.kind": func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"openai": {Kind: "y"}} },
		"gpt.models.m.capabilities": func(c *gpt.Config) { c.Models = map[string]gpt.ModelConfig{"m": {Capabilities: []string{"fly"}}} },
		"gpt.aliases.a":             func(c *gpt.Config) { c.Aliases = map[string]string{"a": "b", "b": "c"} },
		"gpt.providers.x.concurrency": func(c *gpt.Config) {
			c.Providers = map[string]gpt.ProviderConfig{"x": {BaseURL: "http://x", Concurrency: gpt.ConcurrencyConfig{MaxRunning: -1}}}
		},
	} {
		cfg := gpt.DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := gpt.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

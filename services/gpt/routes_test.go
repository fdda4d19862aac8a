package gpt_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// place is a scripted provider with a name of its own, which counts its calls
// and the keys they came with.
type place struct {
	url  string
	mu   sync.Mutex
	keys []string
}

func newPlace(t *testing.T, handler http.HandlerFunc) *place {
	t.Helper()
	p := &place{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			p.mu.Lock()
			p.keys = append(p.keys, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			p.mu.Unlock()
		}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL + "/v1"
	return p
}

func (p *place) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.keys)
}

// routed starts a room with providers a, b, c and a route r over their models.
func routed(t *testing.T, route gpt.RouteConfig, places ...*place) *rig {
	t.Helper()
	return start(t, setup{config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{}
		for i, p := range places {
			name := string(rune('a' + i))
			c.Providers[name] = gpt.ProviderConfig{BaseURL: p.url, APIKey: "key-" + name}
			if len(route.Targets) <= i {
				route.Targets = append(route.Targets, gpt.TargetConfig{Model: name + "/m"})
			}
		}
		c.Routes = map[string]gpt.RouteConfig{"r": route}
	}})
}

// byNumber are the attempts in the order they were made.
func byNumber(t *testing.T, r *rig) []*gptv1.Attempt {
	t.Helper()
	rows := r.attempts(t)
	out := make([]*gptv1.Attempt, len(rows))
	for _, row := range rows {
		if n := int(row.GetNumber()); n >= 1 && n <= len(rows) {
			out[n-1] = row
		}
	}
	return out
}

func TestRouteFallsBackBeforeTheFirstToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first    http.HandlerFunc
		reason   string // of the first attempt; empty where the second is not made
		fallback []string
		answer   string
	}{
		"server error":      {status(500), "PROVIDER_ERROR", nil, "finished"},
		"limited for long":  {status(429, "Retry-After", "600"), "PROVIDER_RATE_LIMITED", nil, "finished"},
		"key refused":       {status(401), "PROVIDER_REFUSED_KEY", nil, "finished"},
		"own fault":         {status(400), "", nil, "PROVIDER_REJECTED"},
		"broke off":         {cut(), "", nil, "PROVIDER_UNREACHABLE"},
		"broke off, wanted": {cut(), "PROVIDER_UNREACHABLE", []string{"unknown"}, "finished"},
		"not wanted":        {status(500), "", []string{"unreachable"}, "PROVIDER_ERROR"},
		"after the token":   {cut(chunkHello), "", nil, "event STREAM_TRUNCATED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newPlace(t, script(c.first)), newPlace(t, script(whole))
			r := routed(t, gpt.RouteConfig{FallbackOn: c.fallback}, a, b)
			got := r.generate(t.Context(), ask("r"))
			if got.reason() != c.answer {
				t.Fatalf("%s %q", got.reason(), got.text())
			}
			rows := byNumber(t, r)
			if c.reason == "" {
				if b.calls() != 0 {
					t.Errorf("the second target was called: %v", rows)
				}
				return
			}
			if len(rows) != 2 || a.calls() != 1 || b.calls() != 1 {
				t.Fatalf("%d rows, %d and %d calls", len(rows), a.calls(), b.calls())
			}
			if rows[0].GetTarget() != "a/m" || rows[0].GetCause() != gptv1.Attempt_CAUSE_FIRST || rows[0].GetRoute() != "r" ||
				!strings.HasSuffix(rows[0].GetFailure().GetReason().String(), c.reason) || !strings.HasPrefix(rows[0].GetDecision(), "order: 2 of 2") {
				t.Errorf("first: %v", rows[0])
			}
			if rows[1].GetTarget() != "b/m" || rows[1].GetCause() != gptv1.Attempt_CAUSE_FALLBACK || rows[1].GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED ||
				!strings.Contains(rows[1].GetDecision(), "passed over: a/m (") {
				t.Errorf("second: %v", rows[1])
			}
			if s := got.chunks[0].GetEvents()[0].GetStarted(); s.GetTarget() != "b/m" || s.GetAttemptNumber() != 2 || s.GetProvider() != "b" {
				t.Errorf("started: %v", s)
			}
		})
	}
}

func TestRouteFallsBackFromAnUnreachableProvider(t *testing.T) {
	t.Parallel()
	a, b := newPlace(t, script(whole)), newPlace(t, script(whole))
	r := routed(t, gpt.RouteConfig{Targets: []gpt.TargetConfig{
		{Model: "a/m", BaseURL: "http://127.0.0.1:1/v1"}, {Model: "b/m"},
	}}, a, b)
	got := r.generate(t.Context(), ask("r"))
	rows := byNumber(t, r)
	if got.reason() != "finished" || a.calls() != 0 || b.calls() != 1 || len(rows) != 2 || rows[0].GetTarget() != "a/m@127.0.0.1:1" {
		t.Errorf("%s: %v", got.reason(), rows)
	}
}

// TestFallbackModels: a turn can bring the models that are tried after its own;
// what there is not is passed over.
func TestFallbackModels(t *testing.T) {
	t.Parallel()
	a, b := newPlace(t, script(status(503))), newPlace(t, script(whole))
	r := routed(t, gpt.RouteConfig{}, a, b)
	turn := ask("a/m")
	turn.Turn.FallbackModels = []string{"nowhere/m", "b/m"}
	got := r.generate(t.Context(), turn)
	rows := byNumber(t, r)
	if got.reason() != "finished" || a.calls() != 1 || b.calls() != 1 || len(rows) != 2 || rows[1].GetCause() != gptv1.Attempt_CAUSE_FALLBACK || rows[0].GetRoute() != "" {
		t.Errorf("%s: %v", got.reason(), rows)
	}
	missing := ask("nowhere/m")
	missing.Turn.FallbackModels = []string{"b/m"}
	if got := r.generate(t.Context(), missing); got.reason() != "finished" || b.calls() != 2 {
		t.Errorf("%s, %d calls", got.reason(), b.calls())
	}
}

// With a first target that is down, calls go to the second at once, but for one
// probe each time.
func TestBreakerIsPerTarget(t *testing.T) {
	t.Parallel()
	a, b := newPlace(t, script(status(500))), newPlace(t, script(whole))
	r := routed(t, gpt.RouteConfig{}, a, b)
	for range 30 {
		if got := r.generate(t.Context(), ask("r")); got.reason() != "finished" {
			t.Fatal(got.reason())
		}
	}
	if a.calls() != 5 || b.calls() != 30 {
		t.Errorf("%d and %d calls", a.calls(), b.calls())
	}
	// Another model of the same provider is not left alone.
	got := r.generate(t.Context(), ask("a/other"))
	if got.reason() != "PROVIDER_ERROR" {
		t.Errorf("%s", got.reason())
	}
}

// Clients that leave say nothing about the target: the next call passes.
func TestCancellationsNeverCount(t *testing.T) {
	t.Parallel()
	const clients = 25
	var calls atomic.Int32
	arrived, gone := make(chan struct{}), make(chan struct{})
	a := newPlace(t, script(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		if n > clients {
			whole(w, r)
			return
		}
		if n%2 == 0 {
			stream(chunkHello)(w, r)
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}))
	r := routed(t, gpt.RouteConfig{}, a)
	for range clients {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan answer, 1)
		go func() { ended <- r.generate(ctx, ask("r")) }()
		<-arrived
		cancel()
		<-gone
		if got := <-ended; got.err == nil {
			t.Fatal("a cancelled call ended well")
		}
	}
	if got := r.generate(t.Context(), ask("r")); got.reason() != "finished" {
		t.Fatalf("after 25 clients that left: %s %v", got.reason(), got.err)
	}
	providers, err := r.ListProviders(t.Context(), &gptv1.ListProvidersRequest{})
	if err != nil || providers.GetProviders()[0].GetTargets()[0].GetState() != gptv1.Provider_STATE_HEALTHY {
		t.Error(providers, err)
	}
}

// A key that is limited, or about to be, is passed over while another is there.
func TestSeveralKeys(t *testing.T) {
	t.Parallel()
	for name, limited := range map[string]http.HandlerFunc{
		"refused": status(429, "Retry-After", "600"),
		"about to be": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Ratelimit-Remaining-Requests", "0")
			w.Header().Set("X-Ratelimit-Reset-Requests", "10m0s")
			whole(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newPlace(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.Header.Get("Authorization"), "one") {
					script(limited)(w, r)
					return
				}
				script(whole)(w, r)
			})
			r := start(t, setup{env: map[string]string{"KEY_TWO": "two"}, config: func(c *gpt.Config) {
				c.Providers = map[string]gpt.ProviderConfig{"a": {BaseURL: a.url, APIKey: "one", APIKeyEnvs: []string{"KEY_TWO", "KEY_THREE"}}}
			}})
			for range 20 {
				if got := r.generate(t.Context(), ask("m")); got.reason() != "finished" {
					t.Fatal(got.reason())
				}
			}
			one := 0
			a.mu.Lock()
			for _, key := range a.keys {
				if key == "one" {
					one++
				}
			}
			a.mu.Unlock()
			if one > 1 {
				t.Errorf("the limited key was used %d times", one)
			}
			for _, row := range r.attempts(t) {
				if row.GetProviderKey() != "1" && row.GetProviderKey() != "KEY_TWO" || strings.Contains(row.String(), "two") {
					t.Fatalf("%v", row)
				}
			}
		})
	}
}

func TestContinuation(t *testing.T) {
	t.Parallel()
	var asked string
	a := newPlace(t, script(cut(chunkHello)))
	b := newPlace(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			asked = string(body)
		}
		script(stream(chunkThere, chunkStop, chunkUsage, chunkDone))(w, r)
	})
	r := routed(t, gpt.RouteConfig{}, a, b)
	req := ask("r")
	req.Turn.OnFailure = conversationv1.OnFailure_ON_FAILURE_CONTINUE
	req.Turn.AcceptWire = conversationv1.Wire_WIRE_OPENAI_CHAT
	got := r.generate(t.Context(), req)
	if got.reason() != "finished" || got.text() != "Hello there" {
		t.Fatalf("%s %q", got.reason(), got.text())
	}
	starts, seams := 0, 0
	for _, chunk := range got.chunks {
		for _, event := range chunk.GetEvents() {
			if event.GetStarted() != nil {
				starts++
			}
			if c := event.GetContinued(); c != nil {
				seams++
				if c.GetProvider() != "b" || c.GetFailure().GetReason().String() != "ERROR_REASON_STREAM_TRUNCATED" {
					t.Errorf("the seam: %v", c)
				}
			}
		}
	}
	if starts != 1 || seams != 1 {
		t.Errorf("%d starts, %d seams", starts, seams)
	}
	if !strings.Contains(asked, `"Hello"`) || !strings.Contains(asked, "Continue it exactly") {
		t.Errorf("asked: %s", asked)
	}
	rows := byNumber(t, r)
	if len(rows) != 2 || rows[1].GetCause() != gptv1.Attempt_CAUSE_CONTINUATION || rows[0].GetOutcome() != gptv1.Attempt_OUTCOME_FAILED {
		t.Fatalf("%v", rows)
	}
	if want := rows[0].GetUsage().GetOutputTokens() + rows[1].GetUsage().GetOutputTokens(); got.usage().GetOutputTokens() != want {
		t.Errorf("told %v of %v and %v", got.usage(), rows[0].GetUsage(), rows[1].GetUsage())
	}
	// Where nobody can go on, the answer ends as one that failed.
	a, b = newPlace(t, script(cut(chunkHello))), newPlace(t, script(status(500)))
	r = routed(t, gpt.RouteConfig{}, a, b)
	if got := r.generate(t.Context(), req); !strings.HasPrefix(got.reason(), "event ") || got.text() != "Hello" {
		t.Errorf("%s %q", got.reason(), got.text())
	}
}

func TestRouteConfig(t *testing.T) {
	t.Parallel()
	for want, route := range map[string]gpt.RouteConfig{
		"gpt.routes.r.targets:":             {},
		"gpt.routes.r.strategy:":            {Strategy: "best", Targets: []gpt.TargetConfig{{Model: "a/m"}}},
		"gpt.routes.r.fallback_on[1]:":      {FallbackOn: []string{"timeout", "bad"}, Targets: []gpt.TargetConfig{{Model: "a/m"}}},
		"gpt.routes.r.targets[1].model:":    {Targets: []gpt.TargetConfig{{Model: "a/m"}, {}}},
		"gpt.routes.r.targets[0].model:":    {Targets: []gpt.TargetConfig{{Model: "m", APIKeyEnv: "K"}}},
		"gpt.routes.r.targets[0].weight:":   {Targets: []gpt.TargetConfig{{Model: "a/m", Weight: -1}}},
		"gpt.routes.r.targets[0].base_url:": {Targets: []gpt.TargetConfig{{Model: "a/m", BaseURL: "nowhere"}}},
		"gpt.routes.r.hedge.quantile:":      {Hedge: gpt.HedgeConfig{Quantile: 95}, Targets: []gpt.TargetConfig{{Model: "a/m"}}},
		"gpt.routes.r.continue:":            {Continue: "yes", Targets: []gpt.TargetConfig{{Model: "a/m"}}},
	} {
		cfg := gpt.DefaultConfig()
		cfg.Routes = map[string]gpt.RouteConfig{"r": route}
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %s, have %v", want, err)
		}
	}
}

// Vectors come from another target of the route where it has the same model, and
// never from another model.
func TestEmbedFallsBack(t *testing.T) {
	t.Parallel()
	vectors := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,1]}],"model":"e-1"}`)
	}
	req := &gptv1.EmbedRequest{Model: "r", Inputs: []*gptv1.EmbedInput{{Kind: &gptv1.EmbedInput_Text{Text: "12345678"}}}}

	a, b := newPlace(t, script(status(500))), newPlace(t, script(vectors))
	r := routed(t, gpt.RouteConfig{}, a, b)
	resp, err := r.Embed(t.Context(), req)
	if err != nil || resp.GetProvider() != "b" || len(resp.GetEmbeddings()) != 1 {
		t.Errorf("%v %v", resp, err)
	}
	if rows := byNumber(t, r); len(rows) != 2 || rows[1].GetTarget() != "b/m" || rows[1].GetCause() != gptv1.Attempt_CAUSE_FALLBACK {
		t.Errorf("rows: %v", rows)
	}

	a, b = newPlace(t, script(status(401))), newPlace(t, script(vectors))
	r = routed(t, gpt.RouteConfig{Targets: []gpt.TargetConfig{{Model: "a/m"}, {Model: "b/other"}}}, a, b)
	if resp, err := r.Embed(t.Context(), req); err == nil || b.calls() != 0 {
		t.Errorf("vectors of another model: %v", resp)
	}
}

// A call that is passed on goes to another target of the route where the first
// cannot have begun it, under the name that the model has there, and to none where
// it may have.
func TestForwardFallsBack(t *testing.T) {
	t.Parallel()
	var got seen
	lists := script(nil)
	taken := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			lists(w, r)
			return
		}
		got.note(r)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"modr-1","results":[]}`)
	}
	for name, test := range map[string]struct {
		first http.HandlerFunc // nil where nobody listens
		falls bool
	}{
		"unreachable":  {nil, true},
		"key refused":  {status(401), true},
		"rate limited": {status(429, "Retry-After", "600"), true},
		"server error": {status(500), false},
		"bad request":  {status(400), false},
		"broken off":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newPlace(t, test.first), newPlace(t, taken)
			if test.first == nil {
				a.url = "http://127.0.0.1:1/v1"
			}
			r := routed(t, gpt.RouteConfig{Targets: []gpt.TargetConfig{{Model: "a/m"}, {Model: "b/other"}}}, a, b)
			out := r.forward(t.Context(), &gptv1.ForwardRequest{Operation: moderate, Model: "r", ContentType: "application/json", Body: []byte(`{"model":"r","input":"x"}`)})
			rows := byNumber(t, r)
			if !test.falls {
				if b.calls() != 0 || len(rows) != 1 {
					t.Errorf("the second target was called: %+v %v", out, rows)
				}
				return
			}
			if out.err != nil || out.status != 200 || !strings.Contains(out.body(), "modr-1") {
				t.Errorf("%+v", out)
			}
			if _, _, body := got.last(); !strings.Contains(body, `"model":"other"`) {
				t.Errorf("the second target got %s", body)
			}
			if len(rows) != 2 || rows[1].GetTarget() != "b/other" || rows[1].GetCause() != gptv1.Attempt_CAUSE_FALLBACK {
				t.Errorf("rows: %v", rows)
			}
		})
	}
}

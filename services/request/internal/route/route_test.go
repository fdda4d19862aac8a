package route

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	chat      = gptv1.Capability_CAPABILITY_CHAT
	tools     = gptv1.Capability_CAPABILITY_TOOLS
	vision    = gptv1.Capability_CAPABILITY_VISION
	reasoning = gptv1.Capability_CAPABILITY_REASONING
)

func model(id string, in, out float64, context int64, capabilities ...gptv1.Capability) *gptv1.Model {
	m := &gptv1.Model{Id: id, Provider: "p-" + id, ProviderModel: id, ContextLength: context, Capabilities: append(capabilities, chat)}
	if in+out > 0 {
		m.Prices = &gptv1.Prices{Currency: "USD", InputPerMillion: in, OutputPerMillion: out}
	}
	return m
}

// shop is a small model, a middling and a large one, a server of this machine,
// one whose provider is down, one without a price, and a test model.
func shop() *Catalogue {
	local := model("local-8b", 0, 0, 32_000, tools)
	echo := model("echo", 0, 0, 0)
	echo.TestModel = true
	embed := &gptv1.Model{Id: "embed", Provider: "p-small", Capabilities: []gptv1.Capability{gptv1.Capability_CAPABILITY_EMBEDDING}}
	return NewCatalogue([]*gptv1.Model{
		model("small", 0.1, 0.4, 8_000), model("mid", 0.5, 2, 128_000, tools), model("large", 3, 15, 400_000, tools, vision, reasoning),
		local, model("down", 0.01, 0.02, 1_000_000, tools, vision, reasoning), model("dark", 0, 0, 1_000_000, tools), echo, embed,
	}, []*gptv1.Provider{
		{Name: "p-small", BaseUrl: "https://api.small.example/v1"}, {Name: "p-mid", BaseUrl: "https://bedrock-runtime.eu-west-1.amazonaws.com"},
		{Name: "p-large", BaseUrl: "https://eu.large.example"}, {Name: "p-local-8b", BaseUrl: "http://127.0.0.1:11434"},
		{Name: "p-down", BaseUrl: "https://down.example", State: gptv1.Provider_STATE_UNAVAILABLE, Reason: "left alone after repeated failures"},
		{Name: "p-dark", BaseUrl: "https://dark.example"},
	}, nil, time.Unix(0, 0))
}

func named(t *testing.T, name string) *Policy {
	t.Helper()
	p, ok := BuiltIn()[name]
	if !ok {
		t.Fatalf("no policy %s", name)
	}
	p.Fill(20 * time.Millisecond)
	return &p
}

func ask(p *Policy, f Features) Answer {
	c := shop()
	if f.Output == 0 {
		f.Output = 500
	}
	return Choose(&Question{Policy: p, Catalogue: c, Features: f, Observed: NewObserved(), Now: time.Unix(0, 0)}, Filter(p, c, &f))
}

func TestChoose(t *testing.T) {
	t.Parallel()
	listed := func(globs ...string) *Policy {
		p := Policy{Candidates: globs}
		p.Fill(0)
		return &p
	}
	filtered := func(f Filters) *Policy {
		p := Policy{Filters: f}
		p.Fill(0)
		return &p
	}
	frugal := named(t, Cheap)
	frugal.Candidates = []string{"small", "large"}
	preferring := Policy{Preferences: Preferences{Simple: []string{"mid"}, Complex: []string{"down", "unlisted", "large"}}, Default: "small"}
	preferring.Fill(0)
	hopeless := Policy{Preferences: Preferences{Medium: []string{"down"}}, Default: "small"}
	hopeless.Fill(0)
	for name, c := range map[string]struct {
		policy *Policy
		f      Features
		want   string
	}{
		"easy work is for the cheapest":      {named(t, Auto), Features{Input: 100, Need: 0.3}, "local-8b"},
		"middling work":                      {listed("small", "mid", "large"), Features{Input: 100, Need: 0.52}, "mid"},
		"hard work is for the able":          {named(t, Auto), Features{Input: 100, Need: 0.75}, "large"},
		"cheap stays cheap":                  {named(t, Cheap), Features{Input: 100, Need: 0.5}, "local-8b"},
		"cheap bends to clear need":          {frugal, Features{Input: 100, Need: 0.75}, "large"},
		"best is the most able":              {named(t, Best), Features{Input: 100, Need: 0.1}, "large"},
		"tools are needed":                   {listed("small", "mid"), Features{Input: 100, Need: 0.1, Required: []gptv1.Capability{tools}}, "mid"},
		"an image is there":                  {named(t, Cheap), Features{Input: 100, Need: 0.1, Required: []gptv1.Capability{vision}}, "large"},
		"a long prompt":                      {listed("small", "mid"), Features{Input: 9_000, Need: 0.1}, "mid"},
		"room for the answer is counted":     {listed("small", "mid"), Features{Input: 6_000, MaxOutput: 3_000, Need: 0.1}, "mid"},
		"globs name providers too":           {listed("p-la*/*"), Features{Need: 0.1}, "large"},
		"price has a limit":                  {filtered(Filters{MaxOutputPrice: 5}), Features{Input: 100, Need: 0.9}, "mid"},
		"only this machine":                  {filtered(Filters{SelfHosted: true}), Features{Input: 100, Need: 0.9}, "local-8b"},
		"only a region":                      {filtered(Filters{Regions: []string{"eu*"}}), Features{Input: 100, Need: 0.3}, "mid"},
		"only some providers":                {filtered(Filters{Providers: []string{"p-large"}}), Features{Need: 0.1}, "large"},
		"a listed model needs no price":      {listed("dark"), Features{Need: 0.1}, "dark"},
		"nobody fits":                        {listed("down"), Features{Need: 0.1}, ""},
		"preferred for simple work":          {&preferring, Features{Complexity: "simple", Need: 0.9}, "mid"},
		"what the catalogue lacks is tried":  {&preferring, Features{Complexity: "complex", Need: 0.1}, "unlisted"},
		"nothing is preferred for such work": {&preferring, Features{Complexity: "medium", Need: 0.9}, "large"},
		"nothing preferred can answer":       {&hopeless, Features{Complexity: "medium", Need: 0.9}, "small"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := ask(c.policy, c.f)
			got := ""
			if a.Chosen != nil {
				got = a.Chosen.ID
			}
			if got != c.want {
				for _, cand := range a.Candidates {
					t.Logf("%-9s %v %.3f fit %.2f price %.2f quality %.2f %s", cand.ID, cand.Eligible, cand.Score, cand.Fit, cand.Price, cand.Quality, cand.Reason)
				}
				t.Fatalf("chose %q, want %q: %s", got, c.want, a.Reason)
			}
		})
	}
}

func TestWhyNot(t *testing.T) {
	t.Parallel()
	a := ask(named(t, Auto), Features{Input: 50_000, Need: 0.5, Required: []gptv1.Capability{tools}})
	why := map[string]string{}
	for _, c := range a.Candidates {
		if !c.Eligible {
			why[c.ID] = c.Reason
		}
	}
	for id, want := range map[string]string{
		"small": "cannot do tools", "local-8b": "context of 32000 tokens is too short for 51024", "down": "its provider is unavailable: left alone",
		"dark": "its price is not known",
	} {
		if !strings.HasPrefix(why[id], want) {
			t.Errorf("%s: %q, want %q", id, why[id], want)
		}
	}
	if len(why) != 4 || a.Candidates[0].ID != a.Chosen.ID {
		t.Errorf("%v, first %s", why, a.Candidates[0].ID)
	}
}

func TestUnclassifiedTakesTheDefault(t *testing.T) {
	t.Parallel()
	p := Policy{Default: "mid"}
	p.Fill(0)
	c, f := shop(), Features{Input: 10, Output: 10, Need: 0.9}
	a := Choose(&Question{Policy: &p, Catalogue: c, Features: f, Unclassified: true}, Filter(&p, c, &f))
	if a.Chosen.ID != "mid" || !a.Defaulted {
		t.Fatalf("%+v", a)
	}
}

func TestConversationsStay(t *testing.T) {
	t.Parallel()
	p := named(t, Auto)
	stay := func(previous string, need float64) string {
		c, f := shop(), Features{Input: 100, Output: 100, Need: need}
		return Choose(&Question{Policy: p, Catalogue: c, Features: f, Previous: previous}, Filter(p, c, &f)).Chosen.ID
	}
	for _, c := range []struct {
		previous string
		need     float64
		want     string
	}{
		{"", 0.45, "local-8b"}, {"mid", 0.45, "mid"}, {"local-8b", 0.75, "large"}, {"down", 0.3, "local-8b"}, {"gone", 0.3, "local-8b"},
	} {
		if got := stay(c.previous, c.need); got != c.want {
			t.Errorf("after %q with need %v: %s, want %s", c.previous, c.need, got, c.want)
		}
	}
}

func TestEqualsShareTheLoad(t *testing.T) {
	t.Parallel()
	c := NewCatalogue([]*gptv1.Model{model("a", 1, 1, 0), model("b", 1, 1, 0), model("c", 1, 1, 0)}, nil, nil, time.Unix(0, 0))
	p := named(t, Auto)
	run := func(seed uint64) string {
		o, random, out := NewObserved(), rand.New(rand.NewPCG(seed, 1)), ""
		for range 30 {
			f := Features{Input: 10, Output: 10, Need: 0.1}
			id := Choose(&Question{Policy: p, Catalogue: c, Features: f, Observed: o, Rand: random}, Filter(p, c, &f)).Chosen.ID
			o.Begin(id)
			out += id
		}
		return out
	}
	first := run(7)
	if first != run(7) {
		t.Error("the same seed draws otherwise")
	}
	for _, id := range []string{"a", "b", "c"} {
		if n := strings.Count(first, id); n < 8 || n > 12 {
			t.Errorf("%s got %d of 30: %s", id, n, first)
		}
	}
}

func TestFailuresAndSlownessCount(t *testing.T) {
	t.Parallel()
	c := NewCatalogue([]*gptv1.Model{model("a", 1, 1, 0), model("b", 1.3, 1.3, 0)}, nil, nil, time.Unix(0, 0))
	p, now := named(t, Auto), time.Unix(1000, 0)
	best := func(o *Observed, at time.Time) string {
		f := Features{Input: 10, Output: 100, Need: 0.1, Class: "test/simple"}
		return Choose(&Question{Policy: p, Catalogue: c, Features: f, Observed: o, Now: at}, Filter(p, c, &f)).Chosen.ID
	}
	failing, slow := NewObserved(), NewObserved()
	if got := best(failing, now); got != "a" {
		t.Fatalf("at first %s", got)
	}
	for range 10 {
		failing.Begin("a")
		failing.End("a", Outcome{Counted: true}, now)
		slow.Begin("a")
		slow.End("a", Outcome{Counted: true, Whole: true, First: 5 * time.Second, Total: 90 * time.Second, Output: 100, Streamed: true}, now)
	}
	if got := best(failing, now); got != "b" {
		t.Errorf("after failures %s", got)
	}
	if got := best(failing, now.Add(2*time.Hour)); got != "a" {
		t.Errorf("old failures still count: %s", got)
	}
	if got := best(slow, now); got != "b" {
		t.Errorf("after slow answers %s", got)
	}
	left := NewObserved()
	left.Begin("a")
	left.End("a", Outcome{}, now)
	if v := left.look("a", "", 1, now); v.running != 0 || v.success != 0.95 {
		t.Errorf("a client that left counts: %+v", v)
	}
}

func TestShares(t *testing.T) {
	t.Parallel()
	for _, percent := range []float64{-5, 0, 1, 10, 50, 90, 100, 250} {
		in := 0
		for i := range 10_000 {
			if In("experiment", fmt.Sprint("key-", i), percent) {
				in++
				if !In("experiment", fmt.Sprint("key-", i), percent+7) {
					t.Fatal("a key leaves a growing share")
				}
			}
		}
		if want := min(max(percent, 0), 100); math.Abs(float64(in)/100-want) > 1.5 {
			t.Errorf("%v %%: %d of 10,000", percent, in)
		}
	}
	// Shares of two experiments are independent.
	both := 0
	for i := range 10_000 {
		if In("one", fmt.Sprint(i), 50) && In("two", fmt.Sprint(i), 50) {
			both++
		}
	}
	if both < 2350 || both > 2650 {
		t.Errorf("both halves share %d of 10,000", both)
	}
	// What another process, or this one after a restart, says.
	got := ""
	for i := range 16 {
		got += map[bool]string{true: "1", false: "0"}[In("pinned", fmt.Sprint("ses_", i), 40)]
	}
	if got != "0011000101010000" {
		t.Errorf("assignments have moved: %s", got)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	var a, b Sample
	for i := range 200 {
		a.Add(map[bool]float64{true: 1}[i < 150])
		b.Add(map[bool]float64{true: 1}[i < 172])
	}
	z, p := Proportions(&a, &b)
	near(t, "z", z, 2.7764, 1e-3)
	near(t, "p", p, 0.0055, 1e-4)
	var x, y Sample
	for _, v := range []float64{27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4} {
		x.Add(v)
	}
	for _, v := range []float64{27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4} {
		y.Add(v)
	}
	// The well-known example of Welch's test.
	tt, p := Welch(&x, &y)
	near(t, "t", tt, 2.46, 0.02)
	near(t, "p", p, 0.021, 0.001)
	var same Sample
	if _, p := Welch(&same, &same); p != 1 {
		t.Errorf("nothing differs from nothing: %v", p)
	}
}

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if math.Abs(got-want) > by {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	yes := true
	turn := &conversationv1.Turn{
		Tools:          []*conversationv1.Tool{{Name: "search"}},
		ResponseFormat: &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA},
		Reasoning:      &conversationv1.ReasoningOptions{Enabled: &yes},
		Messages: []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{
			{Kind: &conversationv1.ContentPart_Text{Text: strings.Repeat("word", 1000)}},
			{Kind: &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Url: "x"}}},
		}}},
	}
	f := Read(turn)
	if fmt.Sprint(f.Required) != "[CAPABILITY_TOOLS CAPABILITY_JSON_SCHEMA CAPABILITY_REASONING CAPABILITY_VISION]" {
		t.Errorf("required %v", f.Required)
	}
	if f.Input < 2000 || f.Input > 2020 {
		t.Errorf("input %d", f.Input)
	}
	if plain := Read(&conversationv1.Turn{HasTools: true}); fmt.Sprint(plain.Required) != "[CAPABILITY_TOOLS]" {
		t.Errorf("required %v", plain.Required)
	}
	if off := Read(&conversationv1.Turn{Reasoning: &conversationv1.ReasoningOptions{Effort: "none"}}); len(off.Required) != 0 {
		t.Errorf("required %v", off.Required)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{"auto": "auto", "auto:latest": "auto", "auto:cheap": "cheap", "autopilot": "", "auto:": "", "gpt": ""} {
		if got, _ := Name(model); got != want {
			t.Errorf("%s: %q", model, got)
		}
	}
	for glob, names := range map[string][2]string{"gpt-4o*": {"gpt-4o-mini", "gpt-4"}, "*/llama*:8b": {"ollama/llama3:8b", "llama3:8b"}, "a?c": {"abc", "abbc"}, "*": {"", "x"}} {
		if !Match(glob, names[0]) || glob != "*" && Match(glob, names[1]) {
			t.Errorf("glob %s", glob)
		}
	}
}

// TestTargets: a model is down where all its keys are, a route where all its
// models are; a route is a candidate only where it is listed.
func TestTargets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	lanes := func(name string, states ...gptv1.Provider_State) (out []*gptv1.Target) {
		for i, state := range states {
			out = append(out, &gptv1.Target{Name: fmt.Sprint(name, "#", i), State: state, Reason: "refused", FirstTokenMicros: int64(1+i) * 1e6})
		}
		return out
	}
	const up, gone = gptv1.Provider_STATE_HEALTHY, gptv1.Provider_STATE_UNAVAILABLE
	limited := lanes("p-c/c", up)
	limited[0].AvoidedUntil = timestamppb.New(now.Add(time.Minute))
	fast := &gptv1.Model{Id: "fast", ProviderModel: "fast", Targets: []string{"p-a/a", "p-b/b"}, Capabilities: []gptv1.Capability{chat}}
	dead := &gptv1.Model{Id: "dead", ProviderModel: "dead", Targets: []string{"p-a/a", "p-c/c"}, Capabilities: []gptv1.Capability{chat}}
	c := NewCatalogue([]*gptv1.Model{model("a", 1, 1, 0), model("b", 2, 2, 0), model("c", 3, 3, 0), fast, dead}, []*gptv1.Provider{
		{Name: "p-a", Targets: lanes("p-a/a", gone, gone)}, {Name: "p-b", Targets: lanes("p-b/b", gone, up)}, {Name: "p-c", Targets: limited},
	}, nil, now)
	for id, want := range map[string]string{
		"a": "it is unavailable: refused", "b": "", "c": "its provider limits it until 00:17:40", "fast": "", "dead": "all of its targets are unavailable",
	} {
		if got := c.Find(id).Down; got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if b, r := c.Find("b"), c.Find("fast"); b.First != time.Second || r.Prices == nil || r.Quality == 0 {
		t.Errorf("%+v %+v", b, r)
	}
	open, listed := Policy{}, Policy{Candidates: []string{"fast"}}
	for p, want := range map[*Policy]int{&open: 3, &listed: 1} {
		if got := Filter(p, c, &Features{}); len(got) != want {
			t.Errorf("%d candidates, want %d", len(got), want)
		}
	}
}

func TestPolicyValidate(t *testing.T) {
	t.Parallel()
	p := Policy{Weights: Weights{Price: -1}, Sticky: "forever", Filters: Filters{MinQuality: 2}, Candidates: []string{""}, Default: "auto:cheap", Budget: -1}
	err := errors.Join(p.Validate()...)
	for _, key := range []string{"weights.price", "sticky", "filters.min_quality", "candidates[0]", "default", "budget"} {
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s is not named: %v", key, err)
		}
	}
	a, b := Policy{Description: "x"}, Policy{Weights: Weights{Price: 1}}
	if a.Version() != (&Policy{}).Version() || a.Version() == b.Version() {
		t.Error("the version does not follow what steers")
	}
}

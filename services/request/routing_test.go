package request

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// shop is a gpt room with a small, a middling and a large model.
type shop struct {
	gptv1.GPTServiceCaller
	asked atomic.Int64
	fail  atomic.Bool
	down  atomic.Pointer[string]
}

func (s *shop) ListModels(context.Context, *gptv1.ListModelsRequest) (*gptv1.ListModelsResponse, error) {
	s.asked.Add(1)
	if s.fail.Load() {
		return nil, status.Error(codes.Unavailable, "gone")
	}
	priced := func(id string, in, out float64, context int64, more ...gptv1.Capability) *gptv1.Model {
		return &gptv1.Model{
			Id: id, Provider: "p-" + id, ProviderModel: id, ContextLength: context,
			Capabilities: append(more, gptv1.Capability_CAPABILITY_CHAT),
			Prices:       &gptv1.Prices{Currency: "USD", InputPerMillion: in, OutputPerMillion: out},
		}
	}
	return &gptv1.ListModelsResponse{Models: []*gptv1.Model{
		priced("small", 0.1, 0.4, 8_000), priced("mid", 0.5, 2, 128_000, gptv1.Capability_CAPABILITY_TOOLS),
		priced("large", 3, 15, 400_000, gptv1.Capability_CAPABILITY_TOOLS, gptv1.Capability_CAPABILITY_VISION),
	}}, nil
}

func (s *shop) ListProviders(context.Context, *gptv1.ListProvidersRequest) (*gptv1.ListProvidersResponse, error) {
	resp := &gptv1.ListProvidersResponse{}
	for _, name := range []string{"p-small", "p-mid", "p-large"} {
		p := &gptv1.Provider{Name: name, BaseUrl: "https://" + name + ".example", State: gptv1.Provider_STATE_HEALTHY}
		if down := s.down.Load(); down != nil && *down == name {
			p.State = gptv1.Provider_STATE_UNAVAILABLE
		}
		resp.Providers = append(resp.Providers, p)
	}
	return resp, nil
}

const (
	easy = "fix the typo in the readme"
	hard = "rewrite the architecture of the entire system"
)

// byWords is a classifier for which rewriting is complex and the rest simple.
type byWords struct {
	classifierv1.ClassifierServiceCaller
	mu    sync.Mutex
	asked []*classifierv1.ClassifyRequest // one that came too late may still be added
}

// questions are what it was asked until now.
func (c *byWords) questions() []*classifierv1.ClassifyRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func (c *byWords) Classify(_ context.Context, req *classifierv1.ClassifyRequest) (*classifierv1.ClassifyResponse, error) {
	c.mu.Lock()
	c.asked = append(c.asked, req)
	c.mu.Unlock()
	complexity := classifierv1.Complexity_COMPLEXITY_SIMPLE
	if strings.Contains(req.GetText(), "rewrite") {
		complexity = classifierv1.Complexity_COMPLEXITY_COMPLEX
	}
	return &classifierv1.ClassifyResponse{Classification: &classifierv1.Classification{
		TaskType: classifierv1.TaskType_TASK_TYPE_REFACTOR, Complexity: complexity, Confidence: 0.95,
		Tier: classifierv1.Tier_TIER_LEARNED, Reason: "by words", ModelVersion: "v7",
	}}, nil
}

func askFor(model, text string) *requestv1.SubmitRequest {
	req := ask(text)
	req.Turn.Model = model
	return req
}

// answers says which model answers, and why.
func (w *world) answers(req *requestv1.SubmitRequest) *requestv1.Decision {
	w.t.Helper()
	g := w.submit(w.t.Context(), req)
	if g.err != nil {
		w.t.Fatal(g.err)
	}
	calls := w.response.Calls()
	d := g.requests[0].GetDecision()
	equal(w.t, calls[len(calls)-1].GetTurn().GetModel(), d.GetModel())
	return d
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	words := &byWords{}
	w := open(t, options{gpt: &shop{}, classifier: words, config: func(cfg *Config) {
		cfg.Policies = map[string]route.Policy{
			"eyes":   {Candidates: []string{"small", "large"}, Weights: route.Weights{Price: 1}, Description: "sees"},
			"nobody": {Candidates: []string{"x*"}, Default: "mid"},
		}
	}})
	for _, c := range []struct{ model, text, want string }{
		{"auto", easy, "small"}, {"auto", hard, "large"}, {"auto:latest", easy, "small"}, {"auto:cheap", easy, "small"},
		{"auto:best", easy, "large"}, {"auto:eyes", hard, "small"}, {"auto:nobody", easy, "mid"}, {"large", easy, "large"},
	} {
		if got := w.answers(askFor(c.model, c.text)).GetModel(); got != c.want {
			t.Errorf("%s for %q: %s, want %s", c.model, c.text, got, c.want)
		}
	}
	seeing := askFor("auto:eyes", easy)
	seeing.Turn.Messages[0].Parts = append(seeing.Turn.Messages[0].Parts,
		&conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Url: "http://x/y.png"}}})
	d := w.answers(seeing)
	equal(t, d.GetModel(), "large")
	equal(t, d.GetCandidates()[1].GetReason(), "cannot do vision")
	for _, asked := range words.questions() {
		if asked.GetMaxTier() != classifierv1.Tier_TIER_LEARNED || asked.GetKey() != "local/default" {
			t.Fatalf("asked %v", asked)
		}
	}
	if len(words.questions()) != 5 { // not where price alone counts, nobody is left, or the client chose
		t.Errorf("%d classifications", len(words.questions()))
	}
	g := w.submit(t.Context(), askFor("auto:none", easy))
	equal(t, g, "error:MODEL_NOT_FOUND")

	list, err := w.ListPolicies(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	for _, p := range list.GetPolicies() {
		told += fmt.Sprint(p.GetModel(), " ", p.GetCandidates(), " ", p.GetContextLength(), " ", p.GetBuiltIn(), "; ")
	}
	equal(t, told, "auto [small mid large] 400000 true; auto:balanced [small mid large] 400000 true; auto:best [small mid large] 400000 true; "+
		"auto:cheap [small mid large] 400000 true; auto:eyes [small large] 400000 false; auto:nobody [] 128000 false; ")
}

func TestTrace(t *testing.T) {
	t.Parallel()
	w := open(t, options{gpt: &shop{}, classifier: &byWords{}})
	tooLong := askFor("auto", hard+strings.Repeat(" please", 6000))
	w.answers(tooLong)
	d := w.newest().GetDecision() // as stored
	f := d.GetFeatures()
	if d.GetPolicy() != "auto" || d.GetPolicyVersion() == "" || d.GetTier() != "learned" || d.GetConfidence() != 0.95 || d.GetClassifierVersion() != "v7" ||
		d.GetTaskType() != "refactor" || d.GetElapsedMicros() < d.GetClassifyMicros() || !f.GetClassified() || f.GetNeed() < 0.7 || f.GetInputTokens() < 10_000 {
		t.Errorf("trace %v", d)
	}
	told := ""
	for _, c := range d.GetCandidates() {
		told += fmt.Sprint(c.GetModel(), " ", c.GetEligible(), " ", c.GetScore() > 0, " ", c.GetCostEstimateNanos() > 0, " ", c.GetReason(), "; ")
	}
	equal(t, told, "large true true true quality from its price; mid true true true quality from its price; "+
		"small false false true context of 8000 tokens is too short for "+fmt.Sprint(f.GetInputTokens()+1024)+"; ")
	if strings.Contains(fmt.Sprint(d), "please") {
		t.Error("the trace holds the text")
	}
}

// TestDeafClassifier has a classifier that heeds no deadline.
func TestDeafClassifier(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := open(t, options{gpt: &shop{}, classifier: deaf{release: release}, config: func(cfg *Config) {
		cfg.ClassifierWarmup = time.Millisecond
		cfg.Policies = map[string]route.Policy{"safe": {Default: "mid", Budget: time.Millisecond}}
	}})
	defer close(release) // before the room is closed
	for range maxClassifying + 3 {
		d := w.answers(askFor("auto:safe", hard))
		if d.GetModel() != "mid" || !d.GetDefaulted() || !strings.Contains(d.GetReason(), "classifier") {
			t.Fatalf("%v", d)
		}
	}
	// Without a default a missing word counts as a middling need.
	equal(t, w.answers(askFor("auto", hard)).GetModel(), "mid")
}

type deaf struct {
	classifierv1.ClassifierServiceCaller
	release chan struct{}
}

func (d deaf) Classify(context.Context, *classifierv1.ClassifyRequest) (*classifierv1.ClassifyResponse, error) {
	<-d.release
	return nil, errors.New("late")
}

func TestNoCatalogue(t *testing.T) {
	t.Parallel()
	models := &shop{}
	models.fail.Store(true)
	w := open(t, options{gpt: models, classifier: &byWords{}, config: func(cfg *Config) { cfg.CatalogueTTL = time.Nanosecond }})
	g := w.submit(t.Context(), askFor("auto", easy))
	equal(t, g, hello)
	equal(t, w.response.Calls()[0].GetTurn().GetModel(), "") // the gpt room's default
	models.fail.Store(false)
	equal(t, w.answers(askFor("auto", easy)).GetModel(), "small")
	models.fail.Store(true) // what was known stays known
	equal(t, w.answers(askFor("auto", easy)).GetModel(), "small")
}

func TestDownIsLeft(t *testing.T) {
	t.Parallel()
	models, name := &shop{}, "p-small"
	w := open(t, options{gpt: models, classifier: &byWords{}, config: func(cfg *Config) { cfg.CatalogueTTL = time.Nanosecond }})
	equal(t, w.answers(askFor("auto", easy)).GetModel(), "small")
	models.down.Store(&name)
	eventually(t, "another model", func() bool { return w.answers(askFor("auto", easy)).GetModel() == "mid" })
	back := ""
	models.down.Store(&back)
	eventually(t, "the first again", func() bool { return w.answers(askFor("auto", easy)).GetModel() == "small" })
}

// TestNamedModelsCostNothing: a turn that names its model asks nobody.
func TestNamedModelsCostNothing(t *testing.T) {
	t.Parallel()
	models, words := &shop{}, &byWords{}
	w := open(t, options{gpt: models, classifier: words})
	d := w.answers(askFor("large", hard))
	if models.asked.Load() != 0 || len(words.questions()) != 0 || d.GetFeatures() != nil || w.router.active.Load() {
		t.Errorf("%d %d %v", models.asked.Load(), len(words.questions()), d)
	}
}

// TestNamedModelsAllocateNothing: telling a model from a policy is free.
func TestNamedModelsAllocateNothing(t *testing.T) {
	w, ctx := open(t, options{gpt: &shop{}}), t.Context()
	if n := testing.AllocsPerRun(10_000, func() { // so many that what the room does beside them is none of each
		if p, err := w.policyOf(ctx, "large"); p != nil || err != nil {
			t.Fatal(p, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConversationKeepsItsModel(t *testing.T) {
	t.Parallel()
	w := open(t, options{gpt: &shop{}, classifier: &byWords{}})
	w.newSession("s", "")
	in := func(session, text string) *requestv1.SubmitRequest {
		req := askFor("auto", text)
		req.SessionId = session
		return req
	}
	equal(t, w.answers(in("s", hard)).GetModel(), "large")
	d := w.answers(in("s", easy))
	equal(t, fmt.Sprint(d.GetModel(), d.GetSticky()), "largetrue")
	equal(t, w.answers(in("", easy)).GetModel(), "small")
}

func TestShadow(t *testing.T) {
	t.Parallel()
	w := open(t, options{gpt: &shop{}, classifier: &byWords{}, config: func(cfg *Config) {
		cfg.Policies = map[string]route.Policy{"auto": {Shadow: "best"}}
	}})
	for i := range 6 {
		text := easy
		if i%3 == 0 {
			text = hard
		}
		w.answers(askFor("auto", text))
	}
	a := w.newest().GetDecision().GetExperiments()[0]
	equal(t, fmt.Sprint(a.GetExperiment(), " ", a.GetPolicy(), " ", a.GetShadowModel(), " ", w.newest().GetDecision().GetModel()), "shadow:auto best large small")
	got, err := w.GetExperiment(t.Context(), &requestv1.GetExperimentRequest{Experiment: "shadow:auto"})
	if err != nil {
		t.Fatal(err)
	}
	s := got.GetShadow()
	equal(t, fmt.Sprint(s.GetRequests(), s.GetAgreed(), len(s.GetShifts()), s.GetShifts()[0].GetFrom(), s.GetShifts()[0].GetTo()), "6 2 2smalllarge")
	if s.GetShadowCost() <= s.GetCost() || !strings.Contains(got.GetVerdict(), "2 of 6") {
		t.Errorf("%v", got)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	w := open(t, options{gpt: &shop{}, classifier: &byWords{}})
	ctx := t.Context()
	begin := &requestv1.Experiment{
		Name: "cheaper", Policy: "best", Treatment: "auto:cheap", Mode: requestv1.Experiment_MODE_SPLIT, Percent: 50,
		Key: requestv1.Experiment_KEY_USER, Metric: requestv1.Experiment_METRIC_COST, MinSamples: 10,
	}
	created, err := w.CreateExperiment(ctx, &requestv1.CreateExperimentRequest{Experiment: begin})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, created.GetExperiment().GetTreatment(), "cheap")
	if _, err := w.CreateExperiment(ctx, &requestv1.CreateExperimentRequest{Experiment: begin}); err != nil {
		t.Errorf("the same again: %v", err)
	}
	for name, change := range map[string]func(e *requestv1.Experiment){
		"ALREADY_EXISTS": func(e *requestv1.Experiment) { e.Percent = 10 },
		"INVALID_FIELD":  func(e *requestv1.Experiment) { e.Name, e.Treatment = "other", "none" },
	} {
		e := created.GetExperiment()
		other := &requestv1.Experiment{Name: e.GetName(), Policy: e.GetPolicy(), Treatment: e.GetTreatment(), Mode: e.GetMode()}
		change(other)
		_, err := w.CreateExperiment(ctx, &requestv1.CreateExperimentRequest{Experiment: other})
		equal(t, reason(err), name)
	}
	by := func(user string) *requestv1.Decision {
		req := askFor("auto:best", easy)
		req.UserId = user
		return w.answers(req)
	}
	models := map[string]string{}
	for i := range 60 {
		user := fmt.Sprint("user-", i)
		models[user] = by(user).GetModel()
	}
	for user, model := range models {
		if d := by(user); d.GetModel() != model {
			t.Fatalf("%s moved from %s to %v", user, model, d)
		}
	}
	first := w.newest()
	if _, err := w.RateRequest(ctx, &requestv1.RateRequestRequest{RequestId: first.GetId(), Rating: 1}); err != nil {
		t.Fatal(err)
	}
	got, err := w.GetExperiment(ctx, &requestv1.GetExperimentRequest{Experiment: "cheaper"})
	if err != nil {
		t.Fatal(err)
	}
	a, b := got.GetVariants()[0], got.GetVariants()[1]
	if a.GetRequests()+b.GetRequests() != 120 || a.GetModels()["large"] != a.GetRequests() || b.GetModels()["small"] != b.GetRequests() ||
		b.GetRequests() < 40 || got.GetWinner() != treatment || a.GetRating().GetCount()+b.GetRating().GetCount() != 1 {
		t.Errorf("%v", got)
	}
	// The share grows: nobody leaves it, and all join it.
	if _, err := w.UpdateExperiment(ctx, &requestv1.UpdateExperimentRequest{Experiment: "cheaper", Percent: 140}); err != nil {
		t.Fatal(err)
	}
	equal(t, by("user-0").GetModel()+by("user-1").GetModel()+by("user-2").GetModel(), "smallsmallsmall")
	ended, err := w.EndExperiment(ctx, &requestv1.EndExperimentRequest{Experiment: "cheaper"})
	if err != nil || ended.GetExperiment().GetEndTime() == nil || ended.GetExperiment().GetPercent() != 100 {
		t.Fatal(err, ended)
	}
	equal(t, by("user-0").GetModel(), "large")
	_, err = w.GetExperiment(ctx, &requestv1.GetExperimentRequest{Experiment: "none"})
	equal(t, reason(err), "EXPERIMENT_NOT_FOUND")
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w := open(t, options{gpt: &shop{}, classifier: &byWords{}})
	for range 3 {
		w.answers(askFor("auto", easy))
	}
	w.answers(askFor("auto", hard))
	w.answers(askFor("large", easy)) // named by the client
	replay := func(req *requestv1.ReplayPolicyRequest) *requestv1.ReplayPolicyResponse {
		t.Helper()
		got, err := w.ReplayPolicy(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same := replay(&requestv1.ReplayPolicyRequest{Policy: "auto"})
	equal(t, fmt.Sprint(same.GetRequests(), same.GetSame(), same.GetSkipped(), same.GetUnpriced()), "4 4 1 0")
	if same.GetCost() == 0 || same.GetCost() != same.GetReplayCost() {
		t.Errorf("costs %v and %v", same.GetCost(), same.GetReplayCost())
	}
	// 3 tokens in and 2 out each: 3×(0.3+0.8) + (9+30) millionths, and all at 9+30.
	best := replay(&requestv1.ReplayPolicyRequest{Policy: "auto:best"})
	equal(t, fmt.Sprintf("%d %.2f %.2f", best.GetSame(), best.GetCost()*1e6, best.GetReplayCost()*1e6), "1 42.30 156.00")
	equal(t, fmt.Sprint(best.GetModels()[0].GetModel(), best.GetModels()[0].GetRequests(), best.GetModels()[0].GetReplayRequests()), "large1 4")
	all := replay(&requestv1.ReplayPolicyRequest{Policy: "cheap", IncludeNamed: true, FromPolicy: ""})
	equal(t, fmt.Sprint(all.GetRequests(), all.GetSkipped()), "5 0")
	cut := replay(&requestv1.ReplayPolicyRequest{Policy: "cheap", MaxRequests: 2})
	equal(t, fmt.Sprint(cut.GetRequests(), cut.GetTruncated()), "2 true")
	_, err := w.ReplayPolicy(t.Context(), &requestv1.ReplayPolicyRequest{Policy: "none"})
	equal(t, reason(err), "MODEL_NOT_FOUND")
	stranger := callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "key:other"}})
	if got, err := w.ReplayPolicy(stranger, &requestv1.ReplayPolicyRequest{Policy: "auto"}); err != nil || got.GetRequests() != 0 {
		t.Errorf("a stranger sees %v %v", got, err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	w := open(t, options{gpt: &shop{}, classifier: &byWords{}})
	for policy, want := range map[string]string{"": "large", "cheap": "small", "auto:best": "large"} {
		text := hard
		if policy == "cheap" {
			text = easy
		}
		got, err := w.ExplainRoute(t.Context(), &requestv1.ExplainRouteRequest{Text: text, Policy: policy})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got.GetDecision().GetModel(), want)
	}
	_, err := w.ExplainRoute(t.Context(), &requestv1.ExplainRouteRequest{})
	equal(t, reason(err), "INVALID_FIELD")
	if len(w.response.Calls()) != 0 {
		t.Error("explaining called a model")
	}
}

func TestPolicyConfigNamesTheKey(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Policies = map[string]route.Policy{"a b": {}, "bad": {Sticky: "x"}, "odd": {Shadow: "none"}}
	err := cfg.Validate()
	for _, key := range []string{"policies.a b:", "policies.bad.sticky:", "policies.odd.shadow:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named: %v", key, err)
		}
	}
	cfg.Policies = nil
	cfg.Experiments = map[string]Experiment{"e": {Policy: "auto", Treatment: "none", Mode: "odd"}}
	err = cfg.Validate()
	for _, key := range []string{"experiments.e.treatment:", "experiments.e.mode:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named: %v", key, err)
		}
	}
}

// TestFallback has the chosen model fail and the next-best answer.
func TestFallback(t *testing.T) {
	t.Parallel()
	none := 0
	w := open(t, options{gpt: &shop{}, classifier: &byWords{}, config: func(cfg *Config) {
		cfg.Policies = map[string]route.Policy{"proud": {Fallbacks: &none}}
	}})
	w.response.Play(func(_ context.Context, req *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		started := responsetest.Started()
		started.GetStarted().Target = "p-mid/mid#key"
		return send(append([]*conversationv1.Event{started, responsetest.Text("Hello")}, responsetest.Ending()...)...)
	})
	g := w.submit(t.Context(), askFor("auto", easy))
	equal(t, g.err, nil)
	turn := w.response.Calls()[0].GetTurn()
	equal(t, fmt.Sprint(turn.GetModel(), turn.GetFallbackModels()), "small[mid large]")
	d := w.newest().GetDecision()
	equal(t, d.GetModel(), "mid")
	if !strings.Contains(d.GetReason(), "small failed, mid answered") {
		t.Errorf("reason %q", d.GetReason())
	}
	w.submit(t.Context(), askFor("auto:proud", easy))
	w.submit(t.Context(), askFor("small", easy))
	for _, call := range w.response.Calls()[1:] {
		equal(t, len(call.GetTurn().GetFallbackModels()), 0)
	}
}

// Screen finds nothing.
func (*byWords) Screen(_ context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	resp := &classifierv1.ScreenResponse{}
	for range req.GetTexts() {
		resp.Risks = append(resp.Risks, &classifierv1.Risk{})
	}
	return resp, nil
}

// Screen finds nothing.
func (deaf) Screen(_ context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	resp := &classifierv1.ScreenResponse{}
	for range req.GetTexts() {
		resp.Risks = append(resp.Risks, &classifierv1.Risk{})
	}
	return resp, nil
}

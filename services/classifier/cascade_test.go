package classifier_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"github.com/gptmesh/gptmesh/services/gpt/gpttest"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// rows are texts whose labels depend on one word.
func rows(words map[string][]string, each int) []learn.Row {
	var list []learn.Row
	for label, forms := range words {
		for i := range each {
			form := forms[i%len(forms)]
			list = append(list, learn.Row{Document: learn.Document{Text: fmt.Sprintf("please look at the %s of part %d today", form, i%17)}, Label: label})
		}
	}
	return list
}

// small is a set of models that know a few words; trained once.
var small = sync.OnceValues(func() (*learn.Set, error) {
	var models []*learn.Model
	for head, words := range map[string]map[string][]string{
		"task_type":  {"bug_fix": {"smoke", "flames"}, "feature": {"bells", "whistles"}, "deployment": {"rockets", "boosters"}, "question": {"riddle", "puzzle"}},
		"complexity": {"simple": {"pebble"}, "complex": {"mountain"}, "medium": {"hill"}},
		"vision":     {"yes": {"picture", "photo"}, "no": {"song", "tune"}},
		"injection":  {"benign": {"garden", "flower"}, "injection": {"override", "disregard"}},
	} {
		m, err := learn.Train(context.Background(), rows(words, 60), learn.TrainConfig{Head: head, Seed: 1})
		if err != nil {
			return nil, err
		}
		models = append(models, m)
	}
	return learn.NewSet(models...)
})

func classify(t testing.TB, room classifierv1.ClassifierServiceCaller, req *classifierv1.ClassifyRequest) *classifierv1.Classification {
	t.Helper()
	resp, err := room.Classify(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetClassification()
}

const (
	heuristic = classifierv1.Tier_TIER_HEURISTIC
	learned   = classifierv1.Tier_TIER_LEARNED
	language  = classifierv1.Tier_TIER_LLM
)

func TestCascade(t *testing.T) {
	t.Parallel()
	answer := func(json string) gpttest.Script { return gpttest.Script{Chunks: gpttest.Answer(json)} }
	good := `Sure: {"task_type":"test","complexity":"complex","confidence":0.8,"reason":"it says so"}`
	down := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE, "secret words of a provider", "provider", "p")
	for _, c := range []struct {
		name     string
		text     string
		script   *gpttest.Script // nil: no language model
		max      classifierv1.Tier
		tier     classifierv1.Tier
		taskType classifierv1.TaskType
		tiers    int
		fallback classifierv1.Fallback
		reason   string
	}{
		{name: "the rules are sure", text: "Fix the crash in the parser", tier: heuristic, taskType: classifierv1.TaskType_TASK_TYPE_BUG_FIX, tiers: 1, reason: "bug_fix: 2 of 2"},
		{name: "the model is sure", text: "please look at the rockets today", tier: learned, taskType: classifierv1.TaskType_TASK_TYPE_DEPLOYMENT, tiers: 2, reason: "deployment at "},
		{name: "nobody is sure, no language model", text: "xyzzy plugh 42 and zyx", tier: learned, tiers: 2},
		{name: "only the rules may be asked", text: "please look at the rockets today", max: heuristic, tier: heuristic, taskType: classifierv1.TaskType_TASK_TYPE_FEATURE, tiers: 1, reason: "no word of any type matched"},
		{name: "the language model is not needed", text: "please look at the rockets today", script: &gpttest.Script{}, tier: learned, taskType: classifierv1.TaskType_TASK_TYPE_DEPLOYMENT, tiers: 2},
		{name: "the language model decides", text: "xyzzy plugh 42 and zyx", script: ptr(answer(good)), tier: language, taskType: classifierv1.TaskType_TASK_TYPE_TEST, tiers: 3, reason: "it says so"},
		{name: "the language model may not be asked", text: "xyzzy plugh 42 and zyx", script: &gpttest.Script{}, max: learned, tier: learned, tiers: 2},
		{name: "a label that is no task type", text: "please look at the riddle today", tier: heuristic, taskType: classifierv1.TaskType_TASK_TYPE_FEATURE, tiers: 2},
		{name: "it fails", text: "xyzzy plugh 42 and zyx", script: &gpttest.Script{Err: down}, tier: learned, tiers: 3, fallback: classifierv1.Fallback_FALLBACK_LLM_FAILED, reason: "LLM failed (provider_unreachable): "},
		{name: "it talks", text: "xyzzy plugh 42 and zyx", script: ptr(answer("I would say a test.")), tier: learned, tiers: 3, fallback: classifierv1.Fallback_FALLBACK_LLM_FAILED, reason: "LLM failed (its answer holds no JSON object): "},
		{name: "it makes up a label", text: "xyzzy plugh 42 and zyx", script: ptr(answer(strings.Replace(good, "test", "prose", 1))), tier: learned, tiers: 3, fallback: classifierv1.Fallback_FALLBACK_LLM_FAILED, reason: "LLM failed (its task_type is none of the labels): "},
		{name: "it is too sure", text: "xyzzy plugh 42 and zyx", script: ptr(answer(strings.Replace(good, "0.8", "8", 1))), tier: learned, tiers: 3, fallback: classifierv1.Fallback_FALLBACK_LLM_FAILED},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, deps := classifier.DefaultConfig(), classifier.Deps{BuiltIn: small}
			fake := &gpttest.Fake{}
			if c.script != nil {
				cfg.LLM.Model = "judge"
				fake.Push(*c.script)
				deps.GPT = gptv1.LocalGPTService(fake, nil)
			}
			got := classify(t, newRoomWith(t, cfg, deps), &classifierv1.ClassifyRequest{Text: c.text, MaxTier: c.max})
			if got.GetTier() != c.tier || c.taskType != 0 && got.GetTaskType() != c.taskType || len(got.GetTierResults()) < c.tiers ||
				got.GetFallback() != c.fallback || !strings.Contains(got.GetReason(), c.reason) {
				t.Errorf("got %v", got)
			}
			if strings.Contains(got.String(), "secret") {
				t.Errorf("a provider's words are in %v", got)
			}
			if c.tier == learned && (got.GetModelVersion() != "built-in:task_type" || len(got.GetTierResults()[1].GetScores()) != 3 || len(got.GetEvidence()) == 0) {
				t.Errorf("what the model said is not told: %v", got)
			}
			if c.tier == language {
				turn := fake.Calls()[0].GetTurn()
				if turn.GetModel() != "judge" || !strings.Contains(turn.GetResponseFormat().GetSchemaJson(), "bug_fix") || turn.GetStream() {
					t.Errorf("asked by %v", turn)
				}
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestThresholdsAreConfiguration(t *testing.T) {
	t.Parallel()
	cfg := classifier.DefaultConfig()
	cfg.HeuristicThreshold = 0.3
	got := classify(t, newRoomWith(t, cfg, classifier.Deps{BuiltIn: small}), &classifierv1.ClassifyRequest{Text: "please look at the rockets today"})
	same(t, got.GetTier(), heuristic)
	cfg = classifier.DefaultConfig()
	cfg.Learned = false
	got = classify(t, newRoomWith(t, cfg, classifier.Deps{BuiltIn: small}), &classifierv1.ClassifyRequest{Text: "please look at the rockets today"})
	same(t, got.GetTier(), heuristic)
	same(t, len(got.GetLabels()), 0)
}

func TestHeads(t *testing.T) {
	t.Parallel()
	room := newRoom(t, classifier.Deps{BuiltIn: small})
	text := "please look at the photo of the garden today and fix it"
	got := classify(t, room, &classifierv1.ClassifyRequest{Text: text})
	if got.GetTier() != heuristic || got.GetWants().GetVision() < 0.5 || got.GetWants().Tools != nil || len(got.GetLabels()) != 4 {
		t.Errorf("got %v", got)
	}
	if score := got.GetRisk().GetScores(); len(score) != 1 || score[0].GetKind() != classifierv1.RiskKind_RISK_KIND_INJECTION || score[0].GetFlagged() {
		t.Errorf("got %v", score)
	}
	got = classify(t, room, &classifierv1.ClassifyRequest{Text: text, Heads: []string{"vision"}})
	if len(got.GetLabels()) != 1 || got.GetLabels()[0].GetLabel() != "yes" || got.GetRisk() != nil {
		t.Errorf("got %v", got.GetLabels())
	}
	got = classify(t, room, &classifierv1.ClassifyRequest{Text: text, Heads: []string{"task_type"}})
	same(t, len(got.GetLabels()), 0)
}

func TestScreen(t *testing.T) {
	t.Parallel()
	room := newRoom(t, classifier.Deps{BuiltIn: small})
	hidden := strings.Repeat("and then we go on with the next part of it. ", 400)
	hidden = hidden[:10_000] + " please look at the override and disregard of part 5 today " + hidden[10_000:]
	filler := strings.Repeat("and then we go on with the next part of it. ", 4*learn.MaxWindowText/44)
	cut := learn.MaxWindowText - 30 // the risk stands where the first piece of a very long text ends
	long := filler[:cut] + " please look at the override and disregard of part 5 today " + filler[cut:]
	texts := &classifierv1.ScreenRequest{Texts: []string{
		"please look at the flower of part 2 today", "please look at the disregard of part 2 today", "", hidden, long, strings.Repeat("試", 9000), strings.Repeat("\x80", 5000),
	}}
	resp, err := room.Screen(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := room.Screen(t.Context(), texts); err != nil || !proto.Equal(again, resp) {
		t.Errorf("again: %v, %v; want %v", again, err, resp)
	}
	var flagged []bool
	for _, risk := range resp.GetRisks() {
		flagged = append(flagged, risk.GetFlagged())
	}
	same(t, flagged, []bool{false, true, false, true, true, false, false})
	stats, err := room.GetStatistics(t.Context(), &classifierv1.GetStatisticsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []int64{stats.GetScreened(), stats.GetFlagged(), stats.GetTotal()}, []int64{14, 6, 0})
	resp, err = newRoom(t, classifier.Deps{}).Screen(t.Context(), &classifierv1.ScreenRequest{Texts: []string{"override"}})
	if err != nil || len(resp.GetRisks()[0].GetScores()) != 0 {
		t.Errorf("got %v, %v", resp, err)
	}
}

// The breaker opens on the fifth failure in a row, and lets one probe through
// after thirty seconds.
func TestBreaker(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	fake := &gpttest.Fake{}
	cfg := classifier.DefaultConfig()
	cfg.LLM.Model = "judge"
	room := newRoomWith(t, cfg, classifier.Deps{GPT: gptv1.LocalGPTService(fake, nil), Clock: func() time.Time { return now }})
	ask := func() classifierv1.Fallback {
		t.Helper()
		return classify(t, room, &classifierv1.ClassifyRequest{Text: "hello everyone"}).GetFallback()
	}
	state := func() classifierv1.BreakerState {
		t.Helper()
		stats, err := room.GetStatistics(t.Context(), &classifierv1.GetStatisticsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, tier := range stats.GetTiers() {
			sum += tier.GetCount()
		}
		same(t, sum, stats.GetTotal())
		return stats.GetBreaker()
	}
	for range 5 {
		same(t, state(), classifierv1.BreakerState_BREAKER_STATE_CLOSED)
		same(t, ask(), classifierv1.Fallback_FALLBACK_LLM_FAILED) // "ok" is no label
	}
	same(t, state(), classifierv1.BreakerState_BREAKER_STATE_OPEN)
	same(t, ask(), classifierv1.Fallback_FALLBACK_BREAKER_OPEN)
	now = now.Add(30*time.Second - time.Nanosecond)
	same(t, ask(), classifierv1.Fallback_FALLBACK_BREAKER_OPEN)
	same(t, len(fake.Calls()), 5)

	now = now.Add(time.Nanosecond)
	gate := make(chan struct{})
	fake.Push(gpttest.Script{Gate: gate, Chunks: gpttest.Answer("nothing")})
	probe := make(chan classifierv1.Fallback)
	go func() {
		resp, _ := room.Classify(t.Context(), &classifierv1.ClassifyRequest{Text: "hello everyone"})
		probe <- resp.GetClassification().GetFallback()
	}()
	gate <- struct{}{} // the probe is under way
	same(t, ask(), classifierv1.Fallback_FALLBACK_BREAKER_OPEN)
	close(gate)
	same(t, <-probe, classifierv1.Fallback_FALLBACK_LLM_FAILED)
	same(t, ask(), classifierv1.Fallback_FALLBACK_BREAKER_OPEN)

	if _, err := room.ResetBreaker(t.Context(), &classifierv1.ResetBreakerRequest{}); err != nil {
		t.Fatal(err)
	}
	same(t, state(), classifierv1.BreakerState_BREAKER_STATE_CLOSED)
	fake.Push(gpttest.Script{Chunks: gpttest.Answer(`{"task_type":"test","complexity":"simple","confidence":0.9,"reason":""}`)})
	same(t, ask(), classifierv1.Fallback_FALLBACK_UNSPECIFIED)
}

// A language model that hangs costs five seconds at the most, and less where
// the caller is in a hurry; one that hangs is a failure, a hasty caller is not.
func TestTimeCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &gpttest.Fake{}
		cfg := classifier.DefaultConfig()
		cfg.LLM.Model, cfg.LLM.BreakerFailures = "judge", 1
		room := newRoomWith(t, cfg, classifier.Deps{GPT: gptv1.LocalGPTService(fake, nil)})
		for _, c := range []struct {
			hurry, atLeast, atMost time.Duration
			calls                  int
		}{
			{time.Second, 900 * time.Millisecond, time.Second, 1},
			{100 * time.Millisecond, 0, 0, 1}, // too little time to ask at all
			{0, 4 * time.Second, 5 * time.Second, 2},
		} {
			fake.Push(gpttest.Script{Hang: true})
			ctx, cancel := t.Context(), func() {}
			if c.hurry > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.hurry)
			}
			begin := time.Now()
			resp, err := room.Classify(ctx, &classifierv1.ClassifyRequest{Text: "hello everyone"})
			took := time.Since(begin)
			cancel()
			got := resp.GetClassification()
			if err != nil || took < c.atLeast || took > c.atMost || got.GetTier() != heuristic ||
				got.GetFallback() != classifierv1.Fallback_FALLBACK_TIMEOUT || !strings.HasPrefix(got.GetReason(), "Classification timeout: ") {
				t.Errorf("%v: got %v after %v, %v", c.hurry, got, took, err)
			}
			synctest.Wait()
			same(t, len(fake.Calls()), c.calls)
		}
		got := classify(t, room, &classifierv1.ClassifyRequest{Text: "hello everyone"})
		same(t, got.GetFallback(), classifierv1.Fallback_FALLBACK_BREAKER_OPEN)
	})
}

// A batch keeps its order whatever the tiers, and holds to the cap as a whole.
func TestBatchWithLanguageModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &gpttest.Fake{}
		cfg := classifier.DefaultConfig()
		cfg.LLM.Model = "judge"
		room := newRoomWith(t, cfg, classifier.Deps{GPT: gptv1.LocalGPTService(fake, nil)})
		req := &classifierv1.BatchClassifyRequest{}
		for i := range 20 {
			req.Items = append(req.Items, &classifierv1.ClassifyRequest{Text: []string{"Fix the parser now", "hello everyone", "short"}[i%3]})
		}
		for range 3 {
			fake.Push(gpttest.Script{Chunks: gpttest.Answer(`{"task_type":"test","complexity":"simple","confidence":0.9,"reason":""}`)})
		}
		for range 20 {
			fake.Push(gpttest.Script{Hang: true})
		}
		begin := time.Now()
		resp, err := room.BatchClassify(t.Context(), req)
		if took := time.Since(begin); err != nil || took > 5*time.Second {
			t.Fatalf("%v after %v", err, took)
		}
		tiers := map[classifierv1.Tier]int{}
		for i, result := range resp.GetResults() {
			switch c := result.GetClassification(); i % 3 {
			case 0:
				same(t, c.GetTaskType(), classifierv1.TaskType_TASK_TYPE_BUG_FIX)
			case 1:
				tiers[c.GetTier()]++
				same(t, c.GetTier() == language, c.GetFallback() == classifierv1.Fallback_FALLBACK_UNSPECIFIED)
			default:
				same(t, result.GetError().GetField(), fmt.Sprintf("items[%d].text", i))
			}
		}
		same(t, tiers, map[classifierv1.Tier]int{language: 3, heuristic: 4})
	})
}

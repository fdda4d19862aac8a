package classifier_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/classifier/classifiertest"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// newRoom is a room with the default configuration; without models where deps
// bring none.
func newRoom(t testing.TB, deps classifier.Deps) classifierv1.ClassifierServiceCaller {
	t.Helper()
	return newRoomWith(t, classifier.DefaultConfig(), deps)
}

func newRoomWith(t testing.TB, cfg classifier.Config, deps classifier.Deps) classifierv1.ClassifierServiceCaller {
	t.Helper()
	if deps.BuiltIn == nil {
		deps.BuiltIn = func() (*learn.Set, error) { return learn.NewSet() }
	}
	s, err := classifier.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return classifierv1.LocalClassifierService(s, nil)
}

// timeless takes the times out of a result.
func timeless(c *classifierv1.Classification) *classifierv1.Classification {
	c = proto.CloneOf(c)
	c.ElapsedMicros = 0
	for _, t := range c.GetTierResults() {
		t.ElapsedMicros = 0
	}
	return c
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	room := newRoom(t, classifier.Deps{})
	for _, c := range []struct {
		text string
		want *classifierv1.Classification
	}{
		{"Fix the crash in the parser", &classifierv1.Classification{
			TaskType: classifierv1.TaskType_TASK_TYPE_BUG_FIX, Complexity: classifierv1.Complexity_COMPLEXITY_SIMPLE,
			Confidence: 0.95, Tier: classifierv1.Tier_TIER_HEURISTIC,
			Reason:   "bug_fix: 2 of 2 matched words (fix, crash); simple: 6 words",
			Strategy: classifierv1.Strategy_STRATEGY_SINGLE_SHOT, TokenEstimate: 2000,
			TierResults: []*classifierv1.TierResult{{
				Tier: classifierv1.Tier_TIER_HEURISTIC, TaskType: classifierv1.TaskType_TASK_TYPE_BUG_FIX,
				Complexity: classifierv1.Complexity_COMPLEXITY_SIMPLE, Confidence: 0.95, Accepted: true, Threshold: 0.85,
			}},
			Evidence: []*classifierv1.Evidence{
				{Feature: "fix", Label: "bug_fix", Weight: 1}, {Feature: "crash", Label: "bug_fix", Weight: 1},
				{Feature: "6 words", Label: "simple", Weight: 0.5},
			},
		}},
		{"the entire architecture", &classifierv1.Classification{
			TaskType: classifierv1.TaskType_TASK_TYPE_FEATURE, Complexity: classifierv1.Complexity_COMPLEXITY_COMPLEX,
			Confidence: 0.3, Tier: classifierv1.Tier_TIER_HEURISTIC,
			Reason:   "feature: no word of any type matched; complex: entire, architecture",
			Strategy: classifierv1.Strategy_STRATEGY_MULTI_AGENT, TokenEstimate: 20_000,
			TierResults: []*classifierv1.TierResult{{
				Tier: classifierv1.Tier_TIER_HEURISTIC, TaskType: classifierv1.TaskType_TASK_TYPE_FEATURE,
				Complexity: classifierv1.Complexity_COMPLEXITY_COMPLEX, Confidence: 0.3, Note: "below its threshold", Threshold: 0.85,
			}},
			Evidence: []*classifierv1.Evidence{
				{Feature: "entire", Label: "complex", Weight: 1}, {Feature: "architecture", Label: "complex", Weight: 1},
			},
		}},
	} {
		resp, err := room.Classify(t.Context(), &classifierv1.ClassifyRequest{Text: c.text})
		if err != nil {
			t.Fatal(err)
		}
		same(t, timeless(resp.GetClassification()), c.want)
	}
	medium, err := room.Classify(t.Context(), &classifierv1.ClassifyRequest{Text: strings.Repeat("word ", 50)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []any{medium.GetClassification().GetStrategy(), medium.GetClassification().GetTokenEstimate()},
		[]any{classifierv1.Strategy_STRATEGY_ITERATIVE, int64(6000)})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		req   *classifierv1.ClassifyRequest
		field string
	}{
		{"9 characters", &classifierv1.ClassifyRequest{Text: "123456789"}, "text"},
		{"9 characters of many bytes", &classifierv1.ClassifyRequest{Text: strings.Repeat("試", 9)}, "text"},
		{"10 characters", &classifierv1.ClassifyRequest{Text: "1234567890"}, ""},
		{"10,000 characters", &classifierv1.ClassifyRequest{Text: strings.Repeat("試", 10_000)}, ""},
		{"10,001 characters", &classifierv1.ClassifyRequest{Text: strings.Repeat("x", 10_001)}, "text"},
		{"long context", &classifierv1.ClassifyRequest{Text: "1234567890", Context: strings.Repeat("x", 10_001)}, "context"},
		{"many files", &classifierv1.ClassifyRequest{Text: "1234567890", FilesChanged: make([]string, 10_001)}, "files_changed"},
	} {
		room := newRoom(t, classifier.Deps{})
		_, err := room.Classify(t.Context(), c.req)
		batch, batchErr := room.BatchClassify(t.Context(), &classifierv1.BatchClassifyRequest{Items: []*classifierv1.ClassifyRequest{c.req}})
		if batchErr != nil {
			t.Fatal(batchErr)
		}
		if c.field == "" {
			if err != nil || batch.GetResults()[0].GetClassification() == nil {
				t.Errorf("%s: refused: %v", c.name, err)
			}
			continue
		}
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD) || fault.From(err).Field() != c.field {
			t.Errorf("%s: got %v, want field %s", c.name, err, c.field)
		}
		if got := batch.GetResults()[0].GetError().GetField(); got != "items[0]."+c.field {
			t.Errorf("%s: got %q in a batch", c.name, got)
		}
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	room := newRoom(t, classifier.Deps{})
	texts := []string{"Fix the parser now", "short", "Deploy the site now", "", "Refactor this thing"}
	req := &classifierv1.BatchClassifyRequest{}
	for _, text := range texts {
		req.Items = append(req.Items, &classifierv1.ClassifyRequest{Text: text})
	}
	resp, err := room.BatchClassify(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range resp.GetResults() {
		single, err := room.Classify(t.Context(), req.GetItems()[i])
		if err != nil {
			same(t, result.GetError().GetField(), []string{1: "items[1].text", 3: "items[3].text"}[i])
			continue
		}
		same(t, timeless(result.GetClassification()), timeless(single.GetClassification()))
	}
	same(t, len(resp.GetResults()), len(texts))

	stats, err := room.GetStatistics(t.Context(), &classifierv1.GetStatisticsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []int64{stats.GetTotal(), stats.GetRejected()}, []int64{6, 4})

	for _, n := range []int{0, 1001} {
		_, err := room.BatchClassify(t.Context(), &classifierv1.BatchClassifyRequest{Items: make([]*classifierv1.ClassifyRequest, n)})
		if fault.From(err).Field() != "items" {
			t.Errorf("%d items: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := room.BatchClassify(ctx, req); err == nil {
		t.Error("went on although the caller had left")
	}
}

func TestStatisticsAndMetrics(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	registry := prometheus.NewRegistry()
	room := newRoom(t, classifier.Deps{Metrics: registry, Clock: func() time.Time { return now }})
	for _, text := range []string{"Fix the parser", "hello everyone", "short"} {
		_, _ = room.Classify(t.Context(), &classifierv1.ClassifyRequest{Text: text})
	}
	stats := func() *classifierv1.GetStatisticsResponse {
		resp, err := room.GetStatistics(t.Context(), &classifierv1.GetStatisticsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	same(t, stats(), &classifierv1.GetStatisticsResponse{
		Total: 2, Tiers: tierCounts(2, 0, 0), LowConfidence: 1, Rejected: 1, Since: timestamppb.New(now),
	})
	now = now.Add(time.Hour)
	if _, err := room.ResetStatistics(t.Context(), &classifierv1.ResetStatisticsRequest{}); err != nil {
		t.Fatal(err)
	}
	same(t, stats(), &classifierv1.GetStatisticsResponse{Tiers: tierCounts(0, 0, 0), Since: timestamppb.New(now)})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			got[family.GetName()] += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"gptmesh_classifier_classifications_total": 2, "gptmesh_classifier_duration_seconds": 2,
		"gptmesh_classifier_rejected_total": 1, "gptmesh_classifier_low_confidence_total": 1,
	} {
		same(t, got[name], want)
	}
}

func tierCounts(counts ...int64) (list []*classifierv1.TierCount) {
	for i, n := range counts {
		list = append(list, &classifierv1.TierCount{Tier: classifierv1.Tier(i + 1), Count: n})
	}
	return list
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for key, change := range map[string]func(*classifier.Config){
		"heuristic_threshold": func(c *classifier.Config) { c.HeuristicThreshold = 1.1 },
		"learned_threshold":   func(c *classifier.Config) { c.LearnedThreshold = 0 },
		"timeout":             func(c *classifier.Config) { c.Timeout = 0 },
		"llm.max_concurrent":  func(c *classifier.Config) { c.LLM.MaxConcurrent = 0 },
		"llm.model":           func(c *classifier.Config) { c.LLM.Model = "m" }, // and no gpt room
	} {
		cfg := classifier.DefaultConfig()
		change(&cfg)
		if _, err := classifier.New(cfg, classifier.Deps{}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %v", key, err)
		}
	}
}

func TestFake(t *testing.T) {
	t.Parallel()
	fake := classifiertest.New(t)
	room := classifierv1.LocalClassifierService(fake, nil)
	want := &classifierv1.Classification{TaskType: classifierv1.TaskType_TASK_TYPE_TEST, Confidence: 1}
	fake.Answer("whatever this is", want)
	broken := errors.New("broken")
	fake.Fail(broken)
	req := &classifierv1.ClassifyRequest{Text: "whatever this is"}
	if _, err := room.Classify(t.Context(), req); err == nil {
		t.Error("did not fail")
	}
	resp, err := room.Classify(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	same(t, resp.GetClassification(), want)
	same(t, len(fake.Asked()), 2)
	resp, err = room.Classify(t.Context(), &classifierv1.ClassifyRequest{Text: "Fix the parser"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, resp.GetClassification().GetTaskType(), classifierv1.TaskType_TASK_TYPE_BUG_FIX)
}

func BenchmarkClassify(b *testing.B) {
	room := newRoom(b, classifier.Deps{Metrics: prometheus.NewRegistry()})
	req := &classifierv1.ClassifyRequest{Text: "The import of customer records stops after a few minutes with an error, please fix it soon"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := room.Classify(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

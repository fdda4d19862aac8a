package path

import (
	"fmt"
	"strings"
	"testing"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// TestJudge has a language model decide what rules and learned models are not
// sure of, by an API of OpenAI's kind: it is asked for structured output, and
// what it says stands; where it fails, says something else, is silent or was left
// alone, the other tiers answer and say why.
func TestJudge(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		s := settings()
		s["gpt"].(map[string]any)["retry"] = map[string]any{"max_attempts": 1}
		s["classifier"] = map[string]any{
			"heuristic_threshold": 1, "learned_threshold": 1, "timeout": "3s",
			"llm": map[string]any{"model": openAIModel, "breaker_failures": 5, "breaker_recovery": "1h"},
		}
		w := startWith(t, harness.Config{Combination: c, Settings: s})
		scene := strings.ReplaceAll(t.Name(), "/", "-")
		for n := 1; ; n++ {
			wrong, late := w.judge(t, fmt.Sprint(scene, "-", n))
			if late && n < 10 {
				continue // a busy machine: the model was not silent, and yet too late
			}
			for _, what := range wrong {
				t.Error(what)
			}
			return
		}
	})
}

// judge has the model say one thing after another, and returns what went wrong, and
// whether an answer of it came too late to count.
func (w *world) judge(t *testing.T, scene string) (wrong []string, late bool) {
	t.Helper()
	if _, err := w.Classifier().ResetBreaker(limit(t), &classifierv1.ResetBreakerRequest{}); err != nil {
		t.Fatal(err)
	}
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	const silent = "-silent"
	ask := func(name string, script provider.Script) *classifierv1.Classification {
		t.Helper()
		w.provider.Script(scene+name, script)
		resp, err := w.Classifier().Classify(limit(t), &classifierv1.ClassifyRequest{Text: provider.Prompt(scene+name) + " please have a look at the odd thing over there"})
		if err != nil {
			t.Fatal(err)
		}
		got := resp.GetClassification()
		late = late || name != silent && got.GetFallback() == classifierv1.Fallback_FALLBACK_TIMEOUT
		return got
	}
	good := provider.Say("```json\n" + `{"task_type":"deployment","complexity":"complex","confidence":0.9,"reason":"it ships"}` + "\n```")
	got := ask("-good", good)
	if late {
		return nil, true
	}
	if got.GetTier() != classifierv1.Tier_TIER_LLM || got.GetTaskType() != classifierv1.TaskType_TASK_TYPE_DEPLOYMENT ||
		got.GetComplexity() != classifierv1.Complexity_COMPLEXITY_COMPLEX || got.GetReason() != "it ships" || got.GetFallback() != 0 || len(got.GetTierResults()) != 3 {
		complain("got %v", got)
	}
	call := w.provider.Await(t, scene+"-good", 0)
	format, _ := call.Member(t, "response_format").(map[string]any)
	if schema, _ := format["json_schema"].(map[string]any); format["type"] != "json_schema" || schema["strict"] != true || schema["schema"] == nil {
		complain("asked with %s", call.Body)
	}
	failed := classifierv1.Fallback_FALLBACK_LLM_FAILED
	for _, c := range []struct {
		name     string
		script   provider.Script
		fallback classifierv1.Fallback
		why      string
	}{
		{"-prose", provider.Say("I would say that it is about shipping."), failed, "LLM failed (its answer holds no JSON object)"},
		{"-label", provider.Say(`{"task_type":"poetry","complexity":"simple","confidence":1,"reason":"r"}`), failed, "its task_type is none of the labels"},
		{"-refused", provider.Script{Steps: []provider.Step{provider.Refuse(500, "server_error")}}, failed, "LLM failed (provider_error)"},
		{"-cut", provider.Say(`{"task_type":`).Then(provider.Truncate()), failed, "LLM failed ("},
		{silent, provider.Script{Steps: []provider.Step{provider.Stall()}}, classifierv1.Fallback_FALLBACK_TIMEOUT, "Classification timeout"},
	} {
		got := ask(c.name, c.script)
		if got.GetTier() == classifierv1.Tier_TIER_LLM || got.GetFallback() != c.fallback || !strings.Contains(got.GetReason(), c.why) || got.GetTaskType() == 0 {
			complain("%s: got %v", c.name, got)
		}
		if late {
			return nil, true
		}
	}
	// Five failures in a row have opened the breaker: the model is left alone.
	got = ask("-open", good)
	if asked := len(w.provider.Calls(scene + "-open")); asked != 0 || got.GetFallback() != classifierv1.Fallback_FALLBACK_BREAKER_OPEN || !strings.Contains(got.GetReason(), "LLM breaker open") {
		complain("asked %d times: %v", asked, got)
	}
	if _, err := w.Classifier().ResetBreaker(limit(t), &classifierv1.ResetBreakerRequest{}); err != nil {
		t.Fatal(err)
	}
	if got = ask("-open", good); got.GetTier() != classifierv1.Tier_TIER_LLM {
		complain("the breaker is closed: got %v", got)
	}
	return wrong, late
}

package path

import (
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
			"llm": map[string]any{"model": openAIModel, "breaker_failures": 5, "breaker_recovery": "30s"},
		}
		w := startWith(t, harness.Config{Combination: c, Settings: s})
		ask := func(scene string) *classifierv1.Classification {
			t.Helper()
			resp, err := w.Classifier().Classify(limit(t), &classifierv1.ClassifyRequest{Text: provider.Prompt(scene) + " please have a look at the odd thing over there"})
			if err != nil {
				t.Fatal(err)
			}
			return resp.GetClassification()
		}
		good := provider.Say("```json\n" + `{"task_type":"deployment","complexity":"complex","confidence":0.9,"reason":"it ships"}` + "\n```")
		scene := strings.ReplaceAll(t.Name(), "/", "-")
		w.provider.Script(scene+"-good", good)
		got := ask(scene + "-good")
		if got.GetTier() != classifierv1.Tier_TIER_LLM || got.GetTaskType() != classifierv1.TaskType_TASK_TYPE_DEPLOYMENT ||
			got.GetComplexity() != classifierv1.Complexity_COMPLEXITY_COMPLEX || got.GetReason() != "it ships" || got.GetFallback() != 0 || len(got.GetTierResults()) != 3 {
			t.Errorf("got %v", got)
		}
		call := w.provider.Calls(scene + "-good")[0]
		format, _ := call.Member(t, "response_format").(map[string]any)
		if schema, _ := format["json_schema"].(map[string]any); format["type"] != "json_schema" || schema["strict"] != true || schema["schema"] == nil {
			t.Errorf("asked with %s", call.Body)
		}
		fallen := func(scene string, script provider.Script, fallback classifierv1.Fallback, why string) {
			t.Helper()
			w.provider.Script(scene, script)
			got := ask(scene)
			if got.GetTier() == classifierv1.Tier_TIER_LLM || got.GetFallback() != fallback || !strings.Contains(got.GetReason(), why) || got.GetTaskType() == 0 {
				t.Errorf("%s: got %v", scene, got)
			}
		}
		failed := classifierv1.Fallback_FALLBACK_LLM_FAILED
		fallen(scene+"-prose", provider.Say("I would say that it is about shipping."), failed, "LLM failed (its answer holds no JSON object)")
		fallen(scene+"-label", provider.Say(`{"task_type":"poetry","complexity":"simple","confidence":1,"reason":"r"}`), failed, "its task_type is none of the labels")
		fallen(scene+"-refused", provider.Script{Steps: []provider.Step{provider.Refuse(500, "server_error")}}, failed, "LLM failed (provider_error)")
		fallen(scene+"-cut", provider.Say(`{"task_type":`).Then(provider.Truncate()), failed, "LLM failed (")
		fallen(scene+"-silent", provider.Script{Steps: []provider.Step{provider.Stall()}}, classifierv1.Fallback_FALLBACK_TIMEOUT, "Classification timeout")
		// Five failures in a row have opened the breaker: the model is left alone.
		w.provider.Script(scene+"-open", good)
		got = ask(scene + "-open")
		if asked := len(w.provider.Calls(scene + "-open")); asked != 0 || got.GetFallback() != classifierv1.Fallback_FALLBACK_BREAKER_OPEN || !strings.Contains(got.GetReason(), "LLM breaker open") {
			t.Errorf("asked %d times: %v", asked, got)
		}
		if _, err := w.Classifier().ResetBreaker(limit(t), &classifierv1.ResetBreakerRequest{}); err != nil {
			t.Fatal(err)
		}
		if got = ask(scene + "-open"); got.GetTier() != classifierv1.Tier_TIER_LLM {
			t.Errorf("the breaker is closed: got %v", got)
		}
	})
}

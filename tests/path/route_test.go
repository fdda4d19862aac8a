package path

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// TestRoute has turns that ask for "auto": three models with different prices,
// policies of the configuration, an A/B test, a replay, and a classifier that
// goes away.
func TestRoute(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := startWith(t, harness.Config{Combination: c, Settings: routing()})
		t.Run("faces", func(t *testing.T) { testRouteFaces(t, w) })
		t.Run("lists", func(t *testing.T) { testRouteLists(t, w) })
		t.Run("split", func(t *testing.T) { testRouteSplit(t, w) })
		t.Run("replay", func(t *testing.T) { testRouteReplay(t, w) })
		t.Run("classifier", func(t *testing.T) { testRouteAlone(t, w) })
	})
}

// cheapest is the model of the provider on this machine, which has no price.
const cheapest = ollamaModel + ":latest"

func fold(model string) string { return strings.TrimSuffix(model, ":latest") }

// routing are settings with prices and policies.
func routing() map[string]any {
	s := settings()
	model := func(in, out float64) map[string]any {
		return map[string]any{
			"capabilities": []string{"chat", "tools"}, "context_length": 100_000, "prices": map[string]any{"input": in, "output": out},
		}
	}
	s["gpt"].(map[string]any)["models"] = map[string]any{
		openAIModel: model(5, 15), anthropicModel: model(1, 3),
	}
	s["request"].(map[string]any)["policies"] = map[string]any{
		"thrift": map[string]any{"weights": map[string]any{"price": 1}},
		"pride":  map[string]any{"weights": map[string]any{"quality": 1}},
		"safe":   map[string]any{"default": anthropicModel, "preferences": map[string]any{"complex": []string{openAIModel}}},
	}
	return s
}

// decided is the stored trace of an answer's request.
func (w *world) decided(t *testing.T, answer face.Answer) *requestv1.Decision {
	t.Helper()
	if answer.Status != http.StatusOK || !answer.Complete {
		t.Fatalf("status %d, complete %v, error %v\n%s", answer.Status, answer.Complete, answer.Error, answer.Body)
	}
	resp, err := w.Request().GetRequest(limit(t), &requestv1.GetRequestRequest{RequestId: answer.RequestID})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetRequest().GetDecision()
}

func testRouteFaces(t *testing.T, w *world) {
	eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
		for model, want := range map[string]string{"auto:thrift": cheapest, "auto:pride": openAIModel, "auto:cheap": cheapest} {
			name := scene + "/" + model
			w.provider.Script(name, provider.Say(hello))
			answer := w.ask(t, f, face.Ask{Model: model, Text: provider.Prompt(name), Stream: stream})
			d := w.decided(t, answer)
			if d.GetModel() != want || d.GetRequestedModel() != model || len(d.GetCandidates()) != 3 || d.GetFeatures() == nil || d.GetPolicyVersion() == "" {
				t.Errorf("%s: %v", model, d)
			}
			if answer.Header != nil && answer.Header.Get("X-Gptmesh-Model") != want {
				t.Errorf("%s: the header names %q", model, answer.Header.Get("X-Gptmesh-Model"))
			}
			if calls := w.provider.Calls(name); len(calls) != 1 || fold(calls[0].Model) != fold(want) {
				t.Errorf("%s: the provider was asked %v", model, calls)
			}
		}
		answer := w.ask(t, f, face.Ask{Model: "auto:nothing", Text: "hello there", Stream: stream})
		// Ollama's face says "not found" in Ollama's own words.
		if answer.Error == nil || answer.Status != http.StatusNotFound || f.Name() != "ollama" && !strings.Contains(answer.Error.Message, "thrift") {
			t.Errorf("an unknown policy: status %d, %v", answer.Status, answer.Error)
		}
	})
}

func testRouteLists(t *testing.T, w *world) {
	for path, want := range map[string]string{"/v1/models": `"auto:thrift"`, "/api/tags": `"auto:thrift"`} {
		resp, err := w.HTTP().Get(w.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		body := string(raw)
		if !strings.Contains(body, want) || !strings.Contains(body, `"auto"`) {
			t.Errorf("%s lacks %s: %s", path, want, body)
		}
	}
}

func testRouteSplit(t *testing.T, w *world) {
	routes := requestv1.RemoteRoutingService(w.Conn("request"))
	ctx := limit(t)
	if _, err := routes.CreateExperiment(ctx, &requestv1.CreateExperimentRequest{Experiment: &requestv1.Experiment{
		Name: "pride-or-thrift", Policy: "pride", Treatment: "thrift", Mode: requestv1.Experiment_MODE_SPLIT, Percent: 50,
		Key: requestv1.Experiment_KEY_USER, Metric: requestv1.Experiment_METRIC_COST, MinSamples: 4,
	}}); err != nil {
		t.Fatal(err)
	}
	by := func(round, user int) string {
		name := fmt.Sprint(t.Name(), "/", round, "/", user)
		w.provider.Script(name, provider.Say("hello"))
		answer := w.ask(t, face.All()[0], face.Ask{Model: "auto:pride", Text: provider.Prompt(name), Header: map[string]string{"X-Gptmesh-User": fmt.Sprint("user-", user)}})
		return w.decided(t, answer).GetModel()
	}
	first, counts := map[int]string{}, map[string]int{}
	for user := range 20 {
		first[user] = by(1, user)
		counts[first[user]]++
	}
	request := w.Of("request")
	request.Kill()
	request.Restart(t)
	w.AwaitReady(t)
	for user := range 20 {
		if again := by(2, user); again != first[user] {
			t.Errorf("user %d moved from %s to %s", user, first[user], again)
		}
	}
	got, err := routes.GetExperiment(ctx, &requestv1.GetExperimentRequest{Experiment: "pride-or-thrift"})
	if err != nil {
		t.Fatal(err)
	}
	a, b := got.GetVariants()[0], got.GetVariants()[1]
	if counts[openAIModel] < 4 || counts[cheapest] < 4 || a.GetModels()[openAIModel] != a.GetRequests() || b.GetModels()[cheapest] != b.GetRequests() ||
		a.GetRequests()+b.GetRequests() != 40 || got.GetWinner() != "treatment" {
		t.Errorf("%v %v", counts, got)
	}
	if _, err := routes.EndExperiment(ctx, &requestv1.EndExperimentRequest{Experiment: "pride-or-thrift"}); err != nil {
		t.Fatal(err)
	}
}

func testRouteReplay(t *testing.T, w *world) {
	routes := requestv1.RemoteRoutingService(w.Conn("request"))
	got, err := routes.ReplayPolicy(limit(t), &requestv1.ReplayPolicyRequest{Policy: "pride"})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetRequests() < 40 || got.GetSame() == got.GetRequests() || got.GetReplayCost() <= got.GetCost() || got.GetCost() == 0 {
		t.Errorf("%v", got)
	}
}

// testRouteAlone takes the classifier away, where it is a process of its own.
func testRouteAlone(t *testing.T, w *world) {
	alone := w.Of("classifier")
	if alone == w.Of("request") {
		t.Skip("the classifier is in the same process: see services/request, TestDeafClassifier")
	}
	auto := func(name string) *requestv1.Decision {
		w.provider.Script(name, provider.Say("hello"))
		return w.decided(t, w.ask(t, face.All()[0], face.Ask{Model: "auto:safe", Text: provider.Prompt(name)}))
	}
	alone.Suspend(t) // it hangs
	for i := range 3 {
		if d := auto(fmt.Sprint(t.Name(), "/hangs/", i)); d.GetModel() != anthropicModel || !d.GetDefaulted() {
			t.Errorf("while it hangs: %v", d)
		}
	}
	alone.Kill() // it is gone
	for i := range 3 {
		if d := auto(fmt.Sprint(t.Name(), "/gone/", i)); d.GetModel() != anthropicModel || !d.GetDefaulted() {
			t.Errorf("while it is gone: %v", d)
		}
	}
}

package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/openai"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// Where no provider moderates, rules do; where there are none either, the error
// says so.
func TestModerationByRules(t *testing.T) {
	t.Parallel()
	m := newMesh(t, func(c *openai.Config) {
		c.Moderation = []openai.ModerationRule{{Category: "violence", Pattern: `(?i)\bkill\b`}, {Category: "house", Pattern: `secret-\d+`}}
	})
	type verdict struct {
		Flagged    bool
		Categories map[string]bool
		Scores     map[string]float64  `json:"category_scores"`
		Applied    map[string][]string `json:"category_applied_input_types"`
	}
	for body, want := range map[string][]string{
		`{"input":"I will KILL the process"}`:                                         {"violence"},
		`{"model":"omni-moderation-latest","input":["hello","secret-7"]}`:             {"", "house"},
		`{"input":[{"type":"text","text":"kill"},{"type":"text","text":"secret-1"}]}`: {"house violence"},
		`{"input":[{"type":"image_url","image_url":{"url":"data:"}}]}`:                nil,
		`{"input":7}`:  nil,
		`{}`:           nil,
		`{"input":[]}`: nil,
	} {
		w := post(m, "/v1/moderations", body)
		var out struct {
			ID, Model string
			Results   []verdict
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if w.Code != 400 || !strings.Contains(w.Body.String(), `"param":"input"`) {
				t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
			continue
		}
		if w.Code != 200 || !strings.HasPrefix(out.ID, "modr") || out.Model == "" || len(out.Results) != len(want) {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
		for i, r := range out.Results {
			var hit []string
			for _, category := range []string{"house", "violence"} {
				if r.Categories[category] {
					hit = append(hit, category)
				}
			}
			if strings.Join(hit, " ") != want[i] || r.Flagged != (want[i] != "") || len(r.Categories) != 14 || len(r.Scores) != 14 || r.Applied["violence"][0] != "text" {
				t.Errorf("%s: %+v", body, r)
			}
		}
	}
	if w := post(newMesh(t, nil), "/v1/moderations", `{"input":"x"}`); w.Code != 400 || !strings.Contains(w.Body.String(), "unsupported_parameter") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	m.gpt.ForwardFunc = passing(nil, nil, head(200, "application/json"), &gptv1.ForwardResponse{Data: []byte(`{"id":"modr-1"}`)})
	if w := post(m, "/v1/moderations", `{"input":"kill"}`); w.Body.String() != `{"id":"modr-1"}` {
		t.Errorf("a provider goes first: %s", w.Body)
	}
	for _, rule := range []openai.ModerationRule{{Category: "x", Pattern: "("}, {Category: "x"}, {Pattern: "x"}} {
		c := openai.DefaultConfig()
		c.Moderation = []openai.ModerationRule{rule}
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "moderation[0].") {
			t.Errorf("%+v: %v", rule, err)
		}
	}
}

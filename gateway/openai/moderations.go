package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
)

// ModerationRule finds texts of a category. It is a redaction rule of the
// response room, asked of texts that are to be moderated.
type ModerationRule struct {
	// Category is one of OpenAI's ("violence"), or another name.
	Category string `yaml:"category"`
	// Pattern is a regular expression in RE2 syntax.
	Pattern string `yaml:"pattern"`
}

// rulesModel is what the answers of rules name as their model.
const rulesModel = "gptmesh-rules"

// openaiCategories are in every answer: the SDKs' types have them all.
var openaiCategories = []string{
	"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm", "self-harm/instructions",
	"self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
}

// moderator judges texts by rules. It is safe for concurrent use.
type moderator struct {
	rules      []*regexp.Regexp
	categories []string // of the rules
}

func newModerator(rules []ModerationRule) (*moderator, error) {
	m := &moderator{}
	for i, rule := range rules {
		if rule.Category == "" {
			return nil, fmt.Errorf("moderation[%d].category: must not be empty", i)
		}
		if rule.Pattern == "" {
			return nil, fmt.Errorf("moderation[%d].pattern: must not be empty", i)
		}
		pattern, err := regexp.Compile(rule.Pattern)
		if err != nil {
			return nil, fmt.Errorf("moderation[%d].pattern: %w", i, err)
		}
		m.rules, m.categories = append(m.rules, pattern), append(m.categories, rule.Category)
	}
	return m, nil
}

// moderation is an answer as OpenAI words it.
type moderation struct {
	ID      string   `json:"id"`
	Model   string   `json:"model"`
	Results []result `json:"results"`
}

type result struct {
	Flagged    bool                `json:"flagged"`
	Categories map[string]bool     `json:"categories"`
	Scores     map[string]float64  `json:"category_scores"`
	Applied    map[string][]string `json:"category_applied_input_types"`
}

// judge says what the rules say of each text.
func (m *moderator) judge(texts []string) []result {
	out := make([]result, 0, len(texts))
	for _, text := range texts {
		r := result{Categories: map[string]bool{}, Scores: map[string]float64{}, Applied: map[string][]string{}}
		for _, category := range openaiCategories {
			r.Categories[category], r.Scores[category], r.Applied[category] = false, 0, []string{}
		}
		for i, rule := range m.rules {
			category := m.categories[i]
			hit := rule.MatchString(text)
			r.Categories[category] = r.Categories[category] || hit
			r.Scores[category], r.Applied[category] = 0, []string{"text"}
		}
		for category, hit := range r.Categories {
			if hit {
				r.Flagged, r.Scores[category] = true, 1
			}
		}
		out = append(out, r)
	}
	return out
}

// moderations passes texts on to a provider that moderates, and judges them by
// rules where none does and there are any.
func (f *face) moderations(x *edge.Exchange) {
	request, err := f.passedOn(x, gptv1.Operation_OPERATION_MODERATION)
	if err != nil {
		x.Fail(err)
		return
	}
	forwarding := answer.Forwarding{Exchange: x, GPT: f.gpt, Late: late, Request: request}
	if len(f.moderator.rules) > 0 {
		forwarding.Instead = func(err error) bool {
			if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED) && !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND) {
				return false
			}
			f.judge(x, request.GetBody())
			return true
		}
	}
	answer.Forward(forwarding)
}

// judge answers by rules.
func (f *face) judge(x *edge.Exchange, body []byte) {
	texts, err := moderated(body)
	if err != nil {
		x.Fail(err)
		return
	}
	out, err := json.Marshal(moderation{ID: ids.New("modr"), Model: rulesModel, Results: f.moderator.judge(texts)})
	if err != nil {
		x.Fail(fault.Internal(err))
		return
	}
	_ = x.JSON(http.StatusOK, out)
}

// moderated are the texts of a body: one, several, or the parts of one.
func moderated(body []byte) ([]string, error) {
	var given struct{ Input json.RawMessage }
	if err := json.Unmarshal(body, &given); err != nil {
		return nil, malformed("", "the body is not a JSON object: "+err.Error())
	}
	var one string
	if json.Unmarshal(given.Input, &one) == nil && len(given.Input) > 0 && given.Input[0] == '"' {
		return []string{one}, nil
	}
	var several []string
	if json.Unmarshal(given.Input, &several) == nil && len(several) > 0 {
		return several, nil
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(given.Input, &parts) != nil || len(parts) == 0 {
		return nil, fault.InvalidField("input", "want a text, texts, or parts")
	}
	for _, part := range parts {
		if part.Type != "text" {
			return nil, fault.InvalidField("input", "rules judge text alone; no provider that is configured judges "+part.Type)
		}
		one += part.Text + "\n"
	}
	return []string{one}, nil
}

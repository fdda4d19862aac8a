package response

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
)

// watchman flags every text that says "evil"; nil down, or fails with it.
type watchman struct {
	classifierv1.ClassifierServiceCaller
	down  error
	asked int
}

func (w *watchman) Screen(_ context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	w.asked++
	resp := &classifierv1.ScreenResponse{}
	for _, text := range req.GetTexts() {
		resp.Risks = append(resp.Risks, &classifierv1.Risk{Scores: []*classifierv1.RiskScore{{
			Kind: classifierv1.RiskKind_RISK_KIND_JAILBREAK, Probability: 0.9, Flagged: strings.Contains(text, "evil"),
		}}})
	}
	return resp, w.down
}

func TestGuard(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	metrics, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &watchman{}
	s := &Service{cfg: DefaultConfig(), metrics: metrics}
	s.deps.Classifier, s.deps.Clock = w, func() time.Time { return now }
	look := func(text string) *conversationv1.GuardReport {
		r := &run{s: s, response: answerOf(text)}
		return r.guard(t.Context())
	}
	if got := look("all is evil"); got.GetAction() != conversationv1.GuardAction_GUARD_ACTION_FLAGGED || got.GetFindings()[0].GetRisk() != "jailbreak" || got.GetFindings()[0].GetPlace() != "answer" {
		t.Errorf("got %v", got)
	}
	if got := look("all is good"); len(got.GetFindings()) != 0 || got.GetScreened() != 1 {
		t.Errorf("got %v", got)
	}
	if got := look("  "); got != nil {
		t.Errorf("got %v", got)
	}
	// One that is down is left alone for a while.
	w.down = errors.New("down")
	if got := look("all is evil"); got.GetNote() == "" {
		t.Errorf("got %v", got)
	}
	asked := w.asked
	if got := look("all is evil"); got != nil || w.asked != asked {
		t.Errorf("got %v", got)
	}
	w.down, now = nil, now.Add(guardPause)
	for range s.cfg.Guard.FlagRate {
		if look("all is evil") == nil {
			t.Error("not looked at below the rate")
		}
	}
	if look("all is evil") != nil {
		t.Error("looked at above the rate")
	}
	now = now.Add(time.Second)
	s.cfg.Guard.Mode = guardOff
	if look("all is evil") != nil {
		t.Error("looked at although it is off")
	}
}

func answerOf(text string) *responsev1.Response {
	return &responsev1.Response{Choices: []*responsev1.Choice{{Message: &conversationv1.Message{
		Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: text}}},
	}}}}
}

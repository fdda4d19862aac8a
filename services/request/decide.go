package request

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// autoModel is the model that asks the room to choose.
const autoModel = "auto"

// What the classifier takes.
const (
	minClassify = 10
	maxClassify = 10_000
)

// decide chooses a model and says why. It always comes to a decision.
func (s *Service) decide(ctx context.Context, turn *conversationv1.Turn) *requestv1.Decision {
	begin := time.Now()
	d := &requestv1.Decision{RequestedModel: turn.GetModel()}
	switch turn.GetModel() {
	case "":
		d.Policy, d.Reason = "default", "no model was named: the configured default answers"
	case autoModel:
		s.decideAuto(ctx, turn, d)
	default:
		d.Policy, d.Model, d.Reason = "asked", turn.GetModel(), "the client named it"
		d.Candidates = []*requestv1.Candidate{{Model: turn.GetModel(), Eligible: true, Score: 1, Reason: "named by the client"}}
	}
	d.ElapsedMicros = time.Since(begin).Microseconds()
	s.metrics.decisions.WithLabelValues(d.GetPolicy(), d.GetTier()).Inc()
	return d
}

func (s *Service) decideAuto(ctx context.Context, turn *conversationv1.Turn, d *requestv1.Decision) {
	d.Policy = autoModel
	auto := s.cfg.Auto
	if auto == (Auto{}) {
		d.Reason = "no targets are configured for auto: the default model answers"
		return
	}
	complexity := classifierv1.Complexity_COMPLEXITY_UNSPECIFIED
	c, why := s.classify(ctx, turn)
	if c != nil {
		complexity = c.GetComplexity()
		d.TaskType, d.Complexity, d.Tier = label(c.GetTaskType()), label(complexity), label(c.GetTier())
		d.Confidence = c.GetConfidence()
		why = fmt.Sprintf("the classifier says %s (%s)", d.GetComplexity(), c.GetReason())
	}
	targets := []struct {
		model string
		fits  classifierv1.Complexity
	}{
		{auto.Simple, classifierv1.Complexity_COMPLEXITY_SIMPLE},
		{auto.Medium, classifierv1.Complexity_COMPLEXITY_MEDIUM},
		{auto.Complex, classifierv1.Complexity_COMPLEXITY_COMPLEX},
		{auto.Default, classifierv1.Complexity_COMPLEXITY_UNSPECIFIED},
	}
	for _, target := range targets {
		if target.model == "" {
			continue
		}
		candidate := &requestv1.Candidate{Model: target.model, Eligible: true, Reason: "is for " + label(target.fits) + " work"}
		switch {
		case target.fits == complexity && c != nil:
			candidate.Score = max(c.GetConfidence(), 0.5)
		case target.fits == classifierv1.Complexity_COMPLEXITY_UNSPECIFIED:
			candidate.Score, candidate.Reason = 0.25, "is the default target"
		default:
			candidate.Eligible = c == nil && auto.Default == ""
		}
		if !candidate.Eligible {
			candidate.Reason += ", which this is not"
		}
		d.Candidates = append(d.Candidates, candidate)
	}
	slices.SortStableFunc(d.Candidates, func(a, b *requestv1.Candidate) int {
		switch {
		case a.GetScore() > b.GetScore():
			return -1
		case a.GetScore() < b.GetScore():
			return 1
		}
		return 0
	})
	d.Reason = why
	if best := d.Candidates[0]; best.GetScore() > 0 {
		d.Model = best.GetModel()
	} else {
		d.Reason += "; no target fits: the default model answers"
	}
}

// classify asks the classifier about the newest user message. Where there is
// no answer, the text says why.
func (s *Service) classify(ctx context.Context, turn *conversationv1.Turn) (*classifierv1.Classification, string) {
	if s.deps.Classifier == nil {
		return nil, "there is no classifier: the default target answers"
	}
	typed := turn
	if len(turn.GetMessages()) == 0 && turn.GetRaw() != nil {
		var err error
		if typed, err = s.decode(turn); err != nil {
			return nil, "the text could not be read: the default target answers"
		}
	}
	text := newestUserText(typed.GetMessages())
	if utf8.RuneCountInString(text) < minClassify {
		return nil, "the text is too short to classify: the default target answers"
	}
	if utf8.RuneCountInString(text) > maxClassify {
		text = string([]rune(text)[:maxClassify])
	}
	bounded, cancel := context.WithTimeout(ctx, s.cfg.ClassifierTimeout)
	defer cancel()
	resp, err := s.deps.Classifier.Classify(bounded, &classifierv1.ClassifyRequest{Text: text})
	if err != nil {
		s.deps.Logger.Debug("no classification", "error", err)
		return nil, "the classifier did not answer in time: the default target answers"
	}
	return resp.GetClassification(), ""
}

func newestUserText(messages []*conversationv1.Message) string {
	for _, m := range slices.Backward(messages) {
		if m.GetRole() != conversationv1.Role_ROLE_USER {
			continue
		}
		var out strings.Builder
		for _, part := range m.GetParts() {
			out.WriteString(part.GetText())
		}
		return strings.TrimSpace(out.String())
	}
	return ""
}

// label is an enum's value for people: "COMPLEXITY_SIMPLE" is "simple".
func label(v fmt.Stringer) string {
	name := v.String()
	for _, prefix := range []string{"TASK_TYPE_", "COMPLEXITY_", "TIER_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	if name = strings.ToLower(name); name == "unspecified" {
		return "unknown"
	}
	return name
}

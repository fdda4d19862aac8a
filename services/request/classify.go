package request

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// What the classifier takes.
const (
	minClassify = 10
	maxClassify = 10_000
)

// classify asks the classifier about the newest user message, for at most
// budget. Where there is no answer, the text says why.
func (s *Service) classify(ctx context.Context, messages []*conversationv1.Message, budget time.Duration, key string) (*classifierv1.Classification, string) {
	if s.deps.Classifier == nil {
		return nil, "there is no classifier"
	}
	text := newestUserText(messages)
	if utf8.RuneCountInString(text) < minClassify {
		return nil, "the text is too short to classify"
	}
	if utf8.RuneCountInString(text) > maxClassify {
		text = string([]rune(text)[:maxClassify])
	}
	select {
	case s.router.classifies <- struct{}{}:
	default:
		return nil, "the classifier is overloaded"
	}
	if !s.router.warm.Swap(true) {
		budget = max(budget, s.cfg.ClassifierWarmup)
	}
	bounded, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	// Beside the turn, so that one that heeds no deadline holds nothing up.
	answer := make(chan *classifierv1.Classification, 1)
	s.work.Go(func() {
		defer func() { <-s.router.classifies }()
		resp, err := s.deps.Classifier.Classify(bounded, &classifierv1.ClassifyRequest{
			Text: text, MaxTier: classifierv1.Tier_TIER_LEARNED, Key: key,
		})
		if err != nil {
			s.deps.Logger.Debug("no classification", "error", err)
		}
		answer <- resp.GetClassification()
	})
	select {
	case c := <-answer:
		if c != nil {
			return c, ""
		}
		if bounded.Err() == nil {
			return nil, "the classifier failed"
		}
	case <-bounded.Done():
	}
	return nil, "the classifier did not answer in time"
}

// sure is how likely a want must be to be heeded.
const sure = 0.7

// takeLabels puts what the classifier said into features and trace.
func takeLabels(c *classifierv1.Classification, f *route.Features, d *requestv1.Decision) {
	d.TaskType, d.Complexity, d.Tier = label(c.GetTaskType()), label(c.GetComplexity()), label(c.GetTier())
	d.Confidence, d.ClassifierVersion = c.GetConfidence(), c.GetModelVersion()
	work := route.Work{TaskType: d.GetTaskType(), Complexity: d.GetComplexity(), Confidence: c.GetConfidence(), Strong: math.NaN(), Gap: math.NaN()}
	for _, l := range c.GetLabels() {
		if l.GetHead() == "complexity" {
			work.Confidence = l.GetConfidence()
		}
	}
	if need := c.GetNeed(); need != nil {
		work.Strong = need.GetProbability()
		if need.Gap != nil {
			work.Gap = need.GetGap()
		}
	}
	wants := c.GetWants()
	for capability, likely := range map[gptv1.Capability]float64{
		gptv1.Capability_CAPABILITY_VISION: wants.GetVision(), gptv1.Capability_CAPABILITY_TOOLS: wants.GetTools(),
		gptv1.Capability_CAPABILITY_REASONING: wants.GetReasoning(),
	} {
		if likely >= sure && !slices.Contains(f.Required, capability) {
			f.Wanted = append(f.Wanted, capability)
		}
	}
	slices.Sort(f.Wanted)
	f.Classify(work)
}

func newestUserText(messages []*conversationv1.Message) string {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].GetRole() != conversationv1.Role_ROLE_USER {
			continue
		}
		var out strings.Builder
		for _, part := range messages[i].GetParts() {
			out.WriteString(part.GetText())
		}
		if text := strings.TrimSpace(out.String()); text != "" {
			return text
		}
	}
	return ""
}

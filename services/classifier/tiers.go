package classifier

import (
	"context"
	"slices"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// verdict is what one tier says.
type verdict struct {
	Tier       classifierv1.Tier
	Type       classifierv1.TaskType
	Complexity classifierv1.Complexity
	// Confidence is that of Type; ComplexityConfidence that of Complexity, nil
	// where the tier does not say.
	Confidence           float64
	ComplexityConfidence *float64
	Reason               string
	Evidence             []*classifierv1.Evidence
	Scores               []*classifierv1.LabelScore

	version string // of the model; empty without
	note    string // why it is not accepted, where that is not its confidence
}

// pending is a classification under way.
type pending struct {
	req     *classifierv1.ClassifyRequest
	begin   time.Time
	result  *classifierv1.Classification
	rules   verdict
	learned *verdict // nil where it said nothing
	decided bool
}

// classify asks the tiers in order until one reaches its threshold.
func (s *Service) classify(ctx context.Context, req *classifierv1.ClassifyRequest) *classifierv1.Classification {
	p := s.local(req)
	if !p.decided {
		s.remote(ctx, p, p.begin.Add(s.cfg.Timeout))
	}
	return s.finish(p)
}

// local asks the tiers that answer here and at once. The result is decided
// where one is sure, or where no other tier may be asked.
func (s *Service) local(req *classifierv1.ClassifyRequest) *pending {
	p := &pending{req: req, begin: time.Now(), result: &classifierv1.Classification{}}
	v := s.rules.Classify(req.GetText())
	p.rules = verdict{
		Tier: classifierv1.Tier_TIER_HEURISTIC, Type: v.Type, Complexity: v.Complexity,
		Confidence: v.Confidence, Reason: v.Reason, Evidence: v.Evidence,
	}
	p.decided = p.offer(&p.rules, s.cfg.HeuristicThreshold, p.begin)
	if s.mayAsk(req, classifierv1.Tier_TIER_LEARNED) {
		s.askLearned(p)
	}
	if !p.decided && (s.llm == nil || !s.mayAsk(req, classifierv1.Tier_TIER_LLM)) {
		p.decided = true
		p.stand()
	}
	return p
}

// askLearned passes over the text once for every head.
func (s *Service) askLearned(p *pending) {
	wanted := wantedHeads(p.req.GetHeads())
	if p.decided && len(p.req.GetHeads()) > 0 && !slices.ContainsFunc(p.req.GetHeads(), isFurther) {
		return
	}
	l, err := s.heads.lineup()
	if err != nil {
		s.failed.Do(func() { s.log.Error("the built-in models cannot be read: only rules answer", "error", err) })
	}
	if len(l.heads) == 0 {
		return
	}
	begin := time.Now()
	doc := document(p.req)
	var room [16]opinion
	opinions := l.ask(l.set, doc, p.req.GetKey(), room[:0])
	if !p.decided {
		if v, ok := s.learned(doc, opinions, p.rules); ok {
			p.learned = &v
			p.result.ModelVersion = v.version
			p.decided = p.offer(&v, s.cfg.LearnedThreshold, begin)
		}
	}
	furtherHeads(p.result, opinions, wanted)
}

// isFurther says that a head is asked for more than the task.
func isFurther(head string) bool { return head != headTaskType && head != headComplexity }

// wantedHeads says which heads a request names; all where it names none.
func wantedHeads(heads []string) func(string) bool {
	if len(heads) == 0 {
		return func(string) bool { return true }
	}
	return func(head string) bool { return slices.Contains(heads, head) }
}

// mayAsk says whether the request lets a tier be asked.
func (s *Service) mayAsk(req *classifierv1.ClassifyRequest, t classifierv1.Tier) bool {
	if t == classifierv1.Tier_TIER_LEARNED && !s.cfg.Learned {
		return false
	}
	return req.GetMaxTier() == classifierv1.Tier_TIER_UNSPECIFIED || t <= req.GetMaxTier()
}

// offer puts what a tier says into the result and takes it where it reaches
// the threshold.
func (p *pending) offer(v *verdict, threshold float64, begin time.Time) bool {
	said := &classifierv1.TierResult{
		Tier: v.Tier, TaskType: v.Type, Complexity: v.Complexity, Confidence: v.Confidence,
		Accepted: v.Confidence >= threshold, Threshold: threshold, Note: v.note,
		ElapsedMicros: time.Since(begin).Microseconds(), Scores: v.Scores, ComplexityConfidence: v.ComplexityConfidence,
	}
	p.result.TierResults = append(p.result.TierResults, said)
	if !said.Accepted {
		if said.Note == "" {
			said.Note = "below its threshold"
		}
		return false
	}
	p.take(v)
	return true
}

// take makes a tier's answer the result.
func (p *pending) take(v *verdict) {
	r := p.result
	r.Tier, r.TaskType, r.Complexity = v.Tier, v.Type, v.Complexity
	r.Confidence, r.Reason, r.Evidence = v.Confidence, v.Reason, v.Evidence
}

// stand takes the best answer where no tier was sure: the learned one's, else
// that of the rules.
func (p *pending) stand() {
	if p.learned != nil && p.learned.Confidence > 0 {
		p.take(p.learned)
		return
	}
	p.take(&p.rules)
}

// fall takes an answer in place of the tier that should have given it. A
// classification that ran out of time falls to the rules.
func (p *pending) fall(why classifierv1.Fallback, words string) {
	if why == classifierv1.Fallback_FALLBACK_TIMEOUT {
		p.take(&p.rules)
	} else {
		p.stand()
	}
	p.result.Fallback = why
	p.result.Reason = words + ": " + p.result.GetReason()
}

// finish counts a result and adds what follows from it.
func (s *Service) finish(p *pending) *classifierv1.Classification {
	r := p.result
	r.Strategy, r.TokenEstimate = plan(r.GetComplexity())
	took := time.Since(p.begin)
	r.ElapsedMicros = took.Microseconds()
	sure := slices.ContainsFunc(r.GetTierResults(), func(t *classifierv1.TierResult) bool {
		return t.GetTier() == r.GetTier() && t.GetAccepted()
	})
	s.statistics.decided(r, sure)
	s.metrics.observe(r, sure, took)
	return r
}

// plan is the strategy for a complexity, and the tokens that it is likely to
// take.
func plan(c classifierv1.Complexity) (classifierv1.Strategy, int64) {
	switch c {
	case classifierv1.Complexity_COMPLEXITY_SIMPLE:
		return classifierv1.Strategy_STRATEGY_SINGLE_SHOT, 2000
	case classifierv1.Complexity_COMPLEXITY_MEDIUM:
		return classifierv1.Strategy_STRATEGY_ITERATIVE, 6000
	}
	return classifierv1.Strategy_STRATEGY_MULTI_AGENT, 20_000
}

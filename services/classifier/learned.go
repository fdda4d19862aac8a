package classifier

import (
	"fmt"
	"strings"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// maxEvidence is how much evidence a learned head gives.
const maxEvidence = 8

// taskTypes and complexities are the labels of the heads of these names.
var (
	taskTypes    = labelsOf(classifierv1.TaskType_value, "TASK_TYPE_")
	complexities = labelsOf(classifierv1.Complexity_value, "COMPLEXITY_")
)

// labelsOf turns the names of an enum into labels: TASK_TYPE_BUG_FIX is
// "bug_fix".
func labelsOf(values map[string]int32, prefix string) map[string]int32 {
	labels := map[string]int32{}
	for name, value := range values {
		if value != 0 {
			labels[strings.ToLower(strings.TrimPrefix(name, prefix))] = value
		}
	}
	return labels
}

// document is a request as the learned models read it.
func document(req *classifierv1.ClassifyRequest) learn.Document {
	return learn.Document{Text: req.GetText(), Group: req.GetGroup()}
}

// learned is what the learned tier says of the task, where it says anything.
func (s *Service) learned(doc learn.Document, opinions []opinion, rules verdict) (verdict, bool) {
	v := verdict{Tier: classifierv1.Tier_TIER_LEARNED, Complexity: rules.Complexity}
	found := false
	for i := range opinions {
		o := &opinions[i]
		switch o.Head {
		case headTaskType:
			found = true
			v.Type = classifierv1.TaskType(taskTypes[o.Label])
			v.Confidence, v.version = o.Confidence, o.version
			v.Scores = topScores(o.model, doc, 3)
			if v.Type == classifierv1.TaskType_TASK_TYPE_UNSPECIFIED {
				v.Type, v.Confidence = rules.Type, 0
				v.note = fmt.Sprintf("the likeliest label, %q at %.2f, is no task type", o.Label, o.Confidence)
			}
			if o.Rejected {
				v.Confidence = min(v.Confidence, 1-o.OutOfScope)
				v.note = "the text belongs to none of its labels"
			}
			for _, e := range o.model.Evidence(doc, maxEvidence) {
				v.Evidence = append(v.Evidence, &classifierv1.Evidence{Feature: e.Feature, Label: e.Label, Weight: e.Weight})
			}
		case headComplexity:
			if c := complexities[o.Label]; c != 0 && o.Confidence >= s.cfg.LearnedThreshold {
				v.Complexity = classifierv1.Complexity(c)
				v.ComplexityConfidence = &o.Confidence
			}
		}
	}
	v.Reason = fmt.Sprintf("%s at %.2f%s", name(v.Type), v.Confidence, because(v.Evidence))
	return v, found
}

// because is the three strongest features for people.
func because(evidence []*classifierv1.Evidence) string {
	var words []string
	for _, e := range evidence {
		if e.GetWeight() > 0 && len(words) < 3 {
			words = append(words, e.GetFeature())
		}
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// name is a task type as a label.
func name(t classifierv1.TaskType) string {
	return strings.ToLower(strings.TrimPrefix(t.String(), "TASK_TYPE_"))
}

// topScores are the likeliest labels of a head.
func topScores(m *learn.Model, doc learn.Document, limit int) []*classifierv1.LabelScore {
	labels := m.Metadata().Labels
	var room [32]float64
	all := m.Probabilities(doc, room[:0])
	top := make([]*classifierv1.LabelScore, 0, limit)
	for range min(limit, len(all)) {
		best := 0
		for i := range all {
			if all[i] > all[best] {
				best = i
			}
		}
		top = append(top, &classifierv1.LabelScore{Label: labels[best], Probability: all[best]})
		all[best] = -1
	}
	return top
}

// furtherHeads puts what the other heads say into a result.
func furtherHeads(c *classifierv1.Classification, opinions []opinion, wanted func(string) bool) {
	for i := range opinions {
		o := &opinions[i]
		if !wanted(o.Head) {
			continue
		}
		label := &classifierv1.HeadLabel{
			Head: o.Head, Label: o.Label, Confidence: o.Confidence, Accepted: o.Accepted,
			OutOfScope: o.Rejected, ModelVersion: o.version,
		}
		switch o.Head {
		case headRoute:
			label.Label = "weak"
			if o.Weak < 0.5 {
				label.Label = "strong"
				label.Confidence = 1 - o.Weak
			}
			c.Need = &classifierv1.Need{
				Probability: 1 - o.Weak, Weak: o.Weak, Strong: o.Strong, Score: o.Need, ModelVersion: o.version,
			}
			if o.model.NeedIsGap() {
				gap := min(max(o.Need, -1), 1)
				c.Need.Gap = &gap
			}
		case headTools, headVision, headLongContext, headReasoning:
			if c.Wants == nil {
				c.Wants = &classifierv1.Wants{}
			}
			p := likelihood(o, positive)
			switch o.Head {
			case headTools:
				c.Wants.Tools = &p
			case headVision:
				c.Wants.Vision = &p
			case headLongContext:
				c.Wants.LongContext = &p
			case headReasoning:
				c.Wants.Reasoning = &p
			}
		case headInjection, headJailbreak:
			if c.Risk == nil {
				c.Risk = &classifierv1.Risk{}
			}
			score := riskScore(o)
			c.Risk.Scores = append(c.Risk.Scores, score)
			c.Risk.Flagged = c.Risk.Flagged || score.GetFlagged()
		}
		c.Labels = append(c.Labels, label)
	}
}

// likelihood is how likely a head of two labels holds one to be right.
func likelihood(o *opinion, label string) float64 {
	if o.Label == label {
		return o.Confidence
	}
	return 1 - o.Confidence
}

// riskScore is the opinion of a guard head, whose labels are "benign" and the
// head's own name. A text is flagged where it is likelier a risk than not and
// as likely as training found to be right often enough.
func riskScore(o *opinion) *classifierv1.RiskScore {
	kind := classifierv1.RiskKind_RISK_KIND_INJECTION
	if o.Head == headJailbreak {
		kind = classifierv1.RiskKind_RISK_KIND_JAILBREAK
	}
	return &classifierv1.RiskScore{
		Kind: kind, Probability: likelihood(o, o.Head), Flagged: o.Label == o.Head && o.Accepted, ModelVersion: o.version,
	}
}

package route

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// Candidate is a target with what a policy thinks of it.
type Candidate struct {
	*Target
	// Eligible says that it can answer; Reason why not, or why it was chosen.
	Eligible bool
	Reason   string
	// Score is the mean of the parts below by the policy's weights.
	Score                        float64
	Fit, Price, Latency, Success float64
	// Cost is the expected cost in billionths of a currency unit.
	Cost int64
	// running is how many requests are under way.
	running int
}

// Question is what a choice is made of.
type Question struct {
	Policy    *Policy
	Catalogue *Catalogue
	Features  Features
	// Observed may be nil. Recorded, where set, takes its place for the models
	// that it knows: what a trace says of their success and latency.
	Observed *Observed
	Recorded map[string]Recorded
	// Previous is the model of the conversation's last turn. Empty means none.
	Previous string
	// Unclassified says that the classifier should have spoken and did not.
	Unclassified bool
	// Now is the time; Rand draws among equals.
	Now  time.Time
	Rand *rand.Rand
}

// Recorded is what a trace says of a model.
type Recorded struct{ Success, Latency float64 }

// Answer is a choice.
type Answer struct {
	// Chosen is the target, nil where the mesh's default model is to answer.
	Chosen *Candidate
	// Candidates are all that were considered, best first.
	Candidates []*Candidate
	// Reason says why, for people.
	Reason string
	// Sticky says that the conversation's model was kept, Defaulted that the
	// default target was taken.
	Sticky, Defaulted bool
}

// tie is how close a score must be to the best one to count as equal.
const tie = 0.01

// Filter says which targets of the catalogue can answer, in the order of the
// catalogue.
func Filter(p *Policy, c *Catalogue, f *Features) []*Candidate {
	if c == nil {
		return nil
	}
	out, made := make([]*Candidate, 0, len(c.Targets)), make([]Candidate, 0, len(c.Targets))
	for _, t := range c.Targets {
		if !t.chats() || !p.considers(t) {
			continue
		}
		made = append(made, Candidate{Target: t, Cost: t.CostNanos(f.Input, 0, 0, f.Output)})
		cand := &made[len(made)-1]
		if cand.Reason = p.refuses(t, f, cand.Cost); cand.Reason == "" {
			cand.Eligible = true
		}
		out = append(out, cand)
	}
	return out
}

// chats says whether a target answers turns at all.
func (t *Target) chats() bool {
	return len(t.Capabilities) == 0 || t.has(gptv1.Capability_CAPABILITY_CHAT) || t.has(gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE)
}

// considers says whether a target is among the policy's candidates. Those that
// are not do not stand in the trace.
func (p *Policy) considers(t *Target) bool {
	full := t.Provider + "/" + t.Name
	if len(p.Candidates) == 0 {
		for _, list := range [][]string{p.Preferences.Simple, p.Preferences.Medium, p.Preferences.Complex} {
			for _, name := range list {
				if t.called(name) {
					return true
				}
			}
		}
		return !t.Test && !t.Route
	}
	if matchAny(p.Candidates, t.ID, full) {
		return true
	}
	for _, alias := range t.Aliases {
		if slices.Contains(p.Candidates, alias) {
			return true
		}
	}
	return false
}

// called says whether a name leads to the target.
func (t *Target) called(name string) bool {
	return name == t.ID || name == t.Provider+"/"+t.Name || slices.Contains(t.Aliases, name)
}

// refuses says why a target cannot be chosen; empty where it can.
func (p *Policy) refuses(t *Target, f *Features, cost int64) string {
	if matchAny(p.Exclude, t.ID, t.Provider+"/"+t.Name) {
		return "excluded by the policy"
	}
	if t.Down != "" {
		return t.Down
	}
	for _, capability := range f.Required {
		if !t.has(capability) {
			return "cannot do " + capabilityName(capability)
		}
	}
	if need := f.room(); t.Context > 0 && t.Context < need {
		return fmt.Sprintf("context of %d tokens is too short for %d", t.Context, need)
	}
	if t.MaxOutput > 0 && f.MaxOutput > t.MaxOutput {
		return fmt.Sprintf("answers at most %d tokens, %d are asked for", t.MaxOutput, f.MaxOutput)
	}
	return p.Filters.refuse(t, f, cost, len(p.Candidates) > 0)
}

func (f *Filters) refuse(t *Target, features *Features, cost int64, listed bool) string {
	if len(f.Providers) > 0 && !matchAny(f.Providers, t.Provider) {
		return "the policy does not allow its provider"
	}
	if len(f.Regions) > 0 && !matchAny(f.Regions, t.Region) {
		if t.Region == "" {
			return "its region is not known"
		}
		return "the policy does not allow its region " + t.Region
	}
	if f.SelfHosted && !t.SelfHosted {
		return "is not self-hosted"
	}
	if f.MinContext > 0 && t.Context < f.MinContext {
		return "its context is shorter than the policy's least"
	}
	if t.Quality < f.MinQuality {
		return fmt.Sprintf("quality %.2f is below the policy's least", t.Quality)
	}
	if f.MaxQuality > 0 && t.Quality > f.MaxQuality {
		return fmt.Sprintf("quality %.2f is above the policy's most", t.Quality)
	}
	if !t.Priced() {
		if f.MaxInputPrice > 0 || f.MaxOutputPrice > 0 || f.MaxCost > 0 || !listed && t.QualityFrom != configured {
			return "its price is not known"
		}
	}
	if p := t.Prices; p != nil {
		if f.MaxInputPrice > 0 && p.GetInputPerMillion() > f.MaxInputPrice {
			return "input price " + number(p.GetInputPerMillion()) + " is above " + number(f.MaxInputPrice)
		}
		if f.MaxOutputPrice > 0 && p.GetOutputPerMillion() > f.MaxOutputPrice {
			return "output price " + number(p.GetOutputPerMillion()) + " is above " + number(f.MaxOutputPrice)
		}
	}
	if f.MaxCost > 0 && float64(cost)/1e9 > f.MaxCost {
		return "expected cost " + number(float64(cost)/1e9) + " is above " + number(f.MaxCost)
	}
	return ""
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// Eligible counts the candidates that can answer.
func Eligible(list []*Candidate) int {
	n := 0
	for _, c := range list {
		if c.Eligible {
			n++
		}
	}
	return n
}

// Choose chooses among what Filter returned.
func Choose(q *Question, list []*Candidate) Answer {
	for _, c := range list {
		if c.Eligible {
			q.score(c)
		}
	}
	slices.SortStableFunc(list, func(a, b *Candidate) int {
		switch {
		case a.Eligible != b.Eligible:
			if a.Eligible {
				return -1
			}
			return 1
		case a.Score != b.Score:
			return cmp.Compare(b.Score, a.Score)
		}
		return strings.Compare(a.ID, b.ID)
	})
	out := Answer{Candidates: list}
	eligible := Eligible(list)
	if q.Unclassified && q.Policy.Default != "" && q.Previous == "" {
		return out.byDefault(q, "the default target answers")
	}
	if chosen, known := q.preferred(&out); known {
		if chosen != nil {
			return out.take(chosen, "is preferred for "+q.Features.Complexity+" work")
		}
		if q.Policy.Default != "" || eligible == 0 {
			return out.byDefault(q, "no target fits "+q.Features.Complexity+" work")
		}
	}
	switch {
	case len(list) == 0:
		return out.byDefault(q, "no target fits, since none can be reached")
	case eligible == 0:
		return out.byDefault(q, "no target fits")
	}
	best := list[0]
	if kept := q.kept(list, best); kept != nil {
		out.Sticky = true
		return out.take(kept, "the conversation stays with "+kept.ID)
	}
	if chosen := q.draw(list[:eligible]); chosen != best {
		return out.take(chosen, fmt.Sprintf("%s is as good as %s and less busy", chosen.ID, best.ID))
	}
	return out.take(best, fmt.Sprintf("%s has the best score of %d", best.ID, eligible))
}

func (a Answer) take(c *Candidate, why string) Answer {
	a.Chosen, a.Reason = c, why
	for i, other := range a.Candidates {
		if other == c && i > 0 {
			copy(a.Candidates[1:i+1], a.Candidates[:i])
			a.Candidates[0] = c
		}
	}
	return a
}

// byDefault takes the policy's default target, known or not.
func (a Answer) byDefault(q *Question, why string) Answer {
	a.Defaulted = true
	if q.Policy.Default == "" {
		a.Reason = why + ": the mesh's default model answers"
		return a
	}
	for _, c := range a.Candidates {
		if c.called(q.Policy.Default) {
			if !c.Eligible {
				why += " (it " + c.Reason + ")"
			}
			return a.take(c, why)
		}
	}
	c := &Candidate{Target: &Target{ID: q.Policy.Default}, Eligible: true, Reason: "is the default target", Score: 0.25}
	if t := q.Catalogue.Find(q.Policy.Default); t != nil {
		c.Target, c.Cost = t, t.CostNanos(q.Features.Input, 0, 0, q.Features.Output)
	}
	a.Candidates = append([]*Candidate{c}, a.Candidates...)
	a.Chosen, a.Reason = c, why
	return a
}

// preferred is the first of the preferences for this complexity that can
// answer. known says that there are such preferences, or no candidate beside
// them. A preferred model that the catalogue does not know is believed.
func (q *Question) preferred(out *Answer) (chosen *Candidate, known bool) {
	if !q.Policy.Preferences.Any() || q.Features.Complexity == "" {
		return nil, false
	}
	names := q.Policy.Preferences.Of(q.Features.Complexity)
	if len(names) == 0 && Eligible(out.Candidates) > 0 {
		return nil, false // nothing is preferred for such work: the scores decide
	}
	for _, name := range names {
		found := false
		for _, c := range out.Candidates {
			if c.called(name) {
				if found = true; c.Eligible {
					return c, true
				}
			}
		}
		if !found && q.Catalogue.Find(name) == nil {
			c := &Candidate{Target: &Target{ID: name}, Eligible: true, Reason: "is preferred; the catalogue does not know it", Score: 0.5}
			out.Candidates = append(out.Candidates, c)
			return c, true
		}
	}
	q.listOthers(out)
	return nil, true
}

// listOthers names in the trace what is preferred for other work and not in the
// catalogue.
func (q *Question) listOthers(out *Answer) {
	for _, complexity := range []string{"simple", "medium", "complex"} {
		for _, name := range q.Policy.Preferences.Of(complexity) {
			if complexity != q.Features.Complexity && q.Catalogue.Find(name) == nil {
				out.Candidates = append(out.Candidates, &Candidate{Target: &Target{ID: name}, Reason: "is for " + complexity + " work, which this is not"})
			}
		}
	}
}

// kept is the conversation's model where it stays: it can answer, and is not
// clearly less up to the work, or less reliable, than the best. Price and
// latency do not count: changing models costs the provider's cache. Nil
// otherwise.
func (q *Question) kept(list []*Candidate, best *Candidate) *Candidate {
	if q.Previous == "" || q.Policy.Sticky == StickyOff {
		return nil
	}
	for _, c := range list {
		if c.Eligible && c.called(q.Previous) && c.Fit*c.Success+q.Policy.SwitchMargin >= best.Fit*best.Success {
			return c
		}
	}
	return nil
}

// draw takes the less busy of two that are drawn from the best.
func (q *Question) draw(eligible []*Candidate) *Candidate {
	equal := 1
	for equal < len(eligible) && eligible[0].Score-eligible[equal].Score <= tie {
		equal++
	}
	if equal == 1 || q.Rand == nil {
		return eligible[0]
	}
	a := q.Rand.IntN(equal)
	b := q.Rand.IntN(equal - 1)
	if b >= a {
		b++
	}
	first, second := eligible[min(a, b)], eligible[max(a, b)]
	if second.running < first.running {
		return second
	}
	return first
}

// floor keeps one bad part from hiding all others.
const floor = 0.002

// score fills in a candidate's parts and their mean.
func (q *Question) score(c *Candidate) {
	f, w := &q.Features, q.Policy.Weights
	seen := q.Observed.look(c.ID, f.Class, f.Output, q.Now)
	c.running, c.Success = seen.running, seen.success
	c.Fit = fit(c.Quality, f.Need)
	for _, capability := range f.Wanted {
		if !c.has(capability) {
			c.Fit *= 0.8
		}
	}
	c.Price = cheapness(c.Target, f)
	c.Latency = 0.8 // as of 2.5 seconds, where nothing is known
	switch {
	case seen.seconds >= 0:
		c.Latency = 1 / (1 + seen.seconds/10)
	case c.First > 0: // what other processes saw; the rest as where nothing is known
		c.Latency = 1 / (1 + (c.First.Seconds()+2)/10)
	}
	if r, ok := q.Recorded[c.ID]; ok {
		c.Success, c.Latency = r.Success, r.Latency
	}
	sum := w.Fit + w.Quality + w.Price + w.Latency + w.Success
	log := func(x float64) float64 { return math.Log(max(x, floor)) }
	c.Score = math.Exp((w.Fit*log(c.Fit) + w.Quality*log(c.Quality) + w.Price*log(c.Price) +
		w.Latency*log(c.Latency) + w.Success*log(c.Success)) / sum)
}

// fit is 1 where quality meets need, and falls the further it is short: 0.1
// short is 0.5, 0.2 is 0.11. It never falls to nothing, so that the more able
// of those that are short stands before the less able.
func fit(quality, need float64) float64 {
	short := max(0, need-quality) / 0.1
	return 1 / (1 + short*short*short)
}

// cheapness is 1 for what is free of charge, and falls with the price per
// million tokens in the turn's own mix: 0.1 is 0.86, 1 is 0.6, 10 is 0.3, 100
// is 0. What has no known price counts as 3.
func cheapness(t *Target, f *Features) float64 {
	perMillion := 3.0
	if p := t.Prices; p != nil {
		in, out := float64(max(f.Input, 1)), float64(max(f.Output, 1))
		perMillion = (in*p.GetInputPerMillion() + out*p.GetOutputPerMillion()) / (in + out)
	} else if t.SelfHosted {
		perMillion = 0
	}
	return clamp(1-math.Log10(1+perMillion/0.05)/math.Log10(1+100/0.05), 0, 1)
}

// capabilityName is a capability for people.
func capabilityName(c gptv1.Capability) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(c.String(), "CAPABILITY_")), "_", " ")
}

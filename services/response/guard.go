package response

import (
	"context"
	"strings"
	"sync"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// The modes of the guard.
const (
	guardOff    = "off"
	guardFlag   = "flag"
	guardRedact = "redact"
	guardRefuse = "refuse"
)

// guardModes are the modes that configuration may name.
var guardModes = []string{guardOff, guardFlag, guardRedact, guardRefuse}

const (
	maxScreenLen = 200_000         // bytes of one choice that are looked at
	guardPause   = 5 * time.Second // without looks, after one that got no answer
	// guardPatience is the least bound of a look that acts. The first look of a
	// process loads the models.
	guardPatience = 250 * time.Millisecond
	maxFindings   = 64 // of one report
)

// Guard says what happens to answers that seem to hold orders to a model, such
// as one that reads them later, or what a jailbreak brings about.
type Guard struct {
	// Mode is off; flag: noted in the answer when the model has ended; redact: the
	// text is taken out; or refuse: it is withheld with all that follows. The last
	// two look before a text is passed on.
	Mode string `yaml:"mode"`
	// Timeout bounds one look. With redact and refuse it is at least 250 ms: who
	// acts on what is found would rather wait than let it pass.
	Timeout time.Duration `yaml:"timeout"`
	// FlagRate is how many answers a second are looked at with mode flag; others
	// go on unseen. It bounds what flagging costs.
	FlagRate int `yaml:"flag_rate"`
	// FailClosed ends answers that could not be looked at with redact and refuse.
	// Otherwise they go on, with a note.
	FailClosed bool `yaml:"fail_closed"`
	// Hold is how many bytes of a stream are held back at most with redact and
	// refuse: a text is let out when so many bytes more have been looked at
	// together with it. An attack that is longer may have begun to go out when
	// it is seen.
	Hold int `yaml:"hold"`
}

func (g *Guard) acts() bool { return g.Mode == guardRedact || g.Mode == guardRefuse }

// allowance lets so many looks happen in a second, and none for a while after
// one that got no answer. It is safe for concurrent use.
type allowance struct {
	mu     sync.Mutex
	second int64
	used   int
	paused time.Time // until then
}

func (a *allowance) take(limit int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if second := now.Unix(); second != a.second {
		a.second, a.used = second, 0
	}
	a.used++
	return a.used <= limit && !now.Before(a.paused)
}

func (a *allowance) pause(until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = until
}

// guard looks at a whole answer; nil where it does not look.
func (r *run) guard(ctx context.Context) *conversationv1.GuardReport {
	s := r.s
	if s.cfg.Guard.Mode != guardFlag || s.deps.Classifier == nil || r.kept != nil {
		return nil
	}
	if now := s.deps.Clock(); !s.flagging.take(s.cfg.Guard.FlagRate, now) {
		s.metrics.guard.WithLabelValues("skipped").Inc()
		return nil
	}
	req := &classifierv1.ScreenRequest{Key: r.owner}
	for _, choice := range r.response.GetChoices() {
		text := ""
		for _, part := range choice.GetMessage().GetParts() {
			text += part.GetText() // one, as a rule
		}
		if strings.TrimSpace(text) != "" && len(req.GetTexts()) < 64 {
			// A copy: the answer's text is not kept.
			req.Texts = append(req.Texts, strings.Clone(strings.ToValidUTF8(text[:min(len(text), maxScreenLen)], "")))
		}
	}
	if len(req.GetTexts()) == 0 {
		return nil
	}
	report := &conversationv1.GuardReport{}
	r.giveTurn() // the classifier takes its time
	if err := s.screen(ctx, req, report); err != nil {
		s.flagging.pause(s.deps.Clock().Add(guardPause))
		return report
	}
	outcome := "passed"
	if len(report.GetFindings()) > 0 {
		report.Action, outcome = conversationv1.GuardAction_GUARD_ACTION_FLAGGED, "flagged"
	}
	s.metrics.guard.WithLabelValues(outcome).Inc()
	return report
}

// screen asks the classifier about texts and adds what it says to a report.
func (s *Service) screen(ctx context.Context, req *classifierv1.ScreenRequest, report *conversationv1.GuardReport) error {
	begin := time.Now()
	timeout := s.cfg.Guard.Timeout
	if s.cfg.Guard.acts() {
		timeout = max(timeout, guardPatience)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := s.deps.Classifier.Screen(bounded, req)
	report.ElapsedMicros += time.Since(begin).Microseconds()
	if err != nil {
		s.metrics.guard.WithLabelValues("unanswered").Inc()
		report.Note = "the classifier did not answer in time"
		return err
	}
	report.Screened += int32(len(req.GetTexts()))
	for _, risk := range resp.GetRisks() {
		for _, score := range risk.GetScores() {
			if !score.GetFlagged() || len(report.GetFindings()) >= maxFindings {
				continue
			}
			finding := &conversationv1.GuardFinding{
				Place: "answer", Risk: strings.ToLower(strings.TrimPrefix(score.GetKind().String(), "RISK_KIND_")),
				Probability: score.GetProbability(), ModelVersion: score.GetModelVersion(),
			}
			for _, e := range score.GetEvidence() {
				finding.Evidence = append(finding.Evidence, e.GetFeature())
			}
			report.Findings = append(report.Findings, finding)
		}
	}
	return nil
}

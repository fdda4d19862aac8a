package classifier

import (
	"context"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"google.golang.org/grpc/status"
)

// A long text is looked at in windows that overlap, since what is hidden in it
// is short, and the models read the ends of a text alone.
const (
	windowBytes   = 512
	windowOverlap = 128
)

// Screen looks for risks; see the contract.
func (s *Service) Screen(ctx context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	resp := &classifierv1.ScreenResponse{Risks: make([]*classifierv1.Risk, len(req.GetTexts()))}
	l := emptyLineup
	if s.cfg.Learned {
		var err error
		if l, err = s.heads.lineup(); err != nil {
			s.failed.Do(func() { s.log.Error("the built-in models cannot be read: only rules answer", "error", err) })
		}
	}
	for i, text := range req.GetTexts() {
		risk, err := l.screen(ctx, text, req.GetKey())
		if err != nil {
			return nil, status.FromContextError(err).Err()
		}
		resp.Risks[i] = risk
		s.statistics.screen(risk.GetFlagged())
		s.metrics.screened.Inc()
		for _, score := range risk.GetScores() {
			if score.GetFlagged() {
				s.metrics.flagged.WithLabelValues(word(score.GetKind().String(), "RISK_KIND_")).Inc()
			}
		}
	}
	return resp, nil
}

// screen is the risk of a text: of each guard head what its most suspicious
// window gives.
func (l *lineup) screen(ctx context.Context, text, key string) (*classifierv1.Risk, error) {
	risk := &classifierv1.Risk{}
	if key == "" {
		key = text
	}
	var room [4]opinion
	for rest := text; rest != ""; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var window string
		window, rest = nextWindow(rest)
		doc := learn.Document{Text: window}
		opinions := l.ask(l.guards, doc, key, room[:0])
		if len(opinions) == 0 {
			break
		}
		for i := range opinions {
			score := riskScore(&opinions[i])
			if len(risk.Scores) <= i {
				risk.Scores = append(risk.Scores, score)
			} else if score.Probability > risk.Scores[i].Probability {
				risk.Scores[i] = score
			} else {
				continue
			}
			if score.Flagged {
				risk.Flagged = true
				for _, e := range opinions[i].model.Evidence(doc, 3) {
					score.Evidence = append(score.Evidence, &classifierv1.Evidence{Feature: e.Feature, Label: e.Label, Weight: e.Weight})
				}
			}
		}
	}
	return risk, nil
}

// nextWindow cuts a window off a text, between runes.
func nextWindow(text string) (window, rest string) {
	if len(text) <= windowBytes {
		return text, ""
	}
	end := windowBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	next := end - windowOverlap
	for next > 0 && !utf8.RuneStart(text[next]) {
		next--
	}
	if end == 0 || next <= 0 { // no text: a window of bytes that are no runes
		return text[:windowBytes], text[windowBytes:]
	}
	return text[:end], text[next:]
}

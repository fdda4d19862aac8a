package classifier

import (
	"context"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"google.golang.org/grpc/status"
)

// pieceOverlap is how much of a piece of a very long text is looked at again
// with the next one: more than a window of words.
const pieceOverlap = 1024

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
// window gives. The models find that window themselves in one pass; a text that
// is longer than they read at once is cut into pieces. Nobody may change the result.
func (l *lineup) screen(ctx context.Context, text, key string) (*classifierv1.Risk, error) {
	risk, hash := l.known.of(text)
	if risk != nil {
		return risk, nil
	}
	risk = &classifierv1.Risk{}
	if key == "" {
		key = text
	}
	var room [4]opinion
	for rest := text; rest != ""; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var doc learn.Document
		doc.Text, rest = nextPiece(rest)
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
				for _, e := range opinions[i].model.EvidenceOf(doc, opinions[i].Prediction, 3) {
					score.Evidence = append(score.Evidence, &classifierv1.Evidence{Feature: e.Feature, Label: e.Label, Weight: e.Weight})
				}
			}
		}
	}
	l.known.keep(text, hash, risk)
	return risk, nil
}

// nextPiece cuts off what the models read at once, between runes.
func nextPiece(text string) (piece, rest string) {
	if len(text) <= learn.MaxWindowText {
		return text, ""
	}
	end := learn.MaxWindowText
	for end > learn.MaxWindowText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	next := end - pieceOverlap
	for next > end-pieceOverlap-utf8.UTFMax && !utf8.RuneStart(text[next]) {
		next--
	}
	return text[:end], text[next:]
}

package request

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// The modes of the guard.
const (
	guardOff    = "off"
	guardFlag   = "flag"
	guardRedact = "redact"
	guardRefuse = "refuse"
)

// redactedText stands where the guard took a text out.
const redactedText = "[removed by the guard]"

// Bounds of what is looked at. A turn beyond them is judged by its newest
// texts, and a raw body that is longer is not taken apart only to be flagged.
const (
	maxScreened  = 64
	maxScreenLen = 200_000 // characters of one text; the ends of a longer one
	maxFlagBody  = 1 << 20
	mostInPlace  = 16 << 10 // bytes of a turn that is looked at in place
)

// Guard says what happens to turns that seem to inject orders into a model, or
// to talk it out of its rules.
type Guard struct {
	// Mode is off; flag: noted, while the model is being called already; redact:
	// the texts are taken out; or refuse. The last two look before the call.
	Mode string `yaml:"mode"`
	// Timeout bounds the look.
	Timeout time.Duration `yaml:"timeout"`
	// FlagRate is how many turns a second are looked at with mode flag; others
	// go on unseen. It bounds what flagging costs.
	FlagRate int `yaml:"flag_rate"`
	// FailClosed refuses turns that could not be looked at with redact and
	// refuse. Otherwise they go on, with a note.
	FailClosed bool `yaml:"fail_closed"`
}

// guardModes are the modes that configuration may name.
var guardModes = []string{guardOff, guardFlag, guardRedact, guardRefuse}

// allowance lets so many things happen in a second. It is safe for concurrent
// use.
type allowance struct {
	mu     sync.Mutex
	second int64
	used   int
}

func (a *allowance) take(limit int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if second := now.Unix(); second != a.second {
		a.second, a.used = second, 0
	}
	a.used++
	return a.used <= limit
}

// screenable is one text of a turn.
type screenable struct {
	message int // index in the turn's messages
	text    string
}

// screenables are the texts that a turn brings: those of users and tools since
// the model last spoke, the newest at the end.
func screenables(messages []*conversationv1.Message) (list []screenable) {
	for i, m := range slices.Backward(messages) {
		if m.GetRole() == conversationv1.Role_ROLE_ASSISTANT || len(list) == maxScreened {
			break
		}
		if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
			continue
		}
		text := textOf(m.GetParts())
		if strings.TrimSpace(text) != "" {
			list = append(list, screenable{i, ends(text, maxScreenLen)})
		}
	}
	slices.Reverse(list)
	return list
}

// textOf is the text of a message; that of a single part is not copied.
func textOf(parts []*conversationv1.ContentPart) string {
	if len(parts) == 1 {
		if only, ok := parts[0].GetKind().(*conversationv1.ContentPart_Text); ok {
			return only.Text
		}
	}
	var text strings.Builder
	gather(&text, parts)
	return text.String()
}

func gather(text *strings.Builder, parts []*conversationv1.ContentPart) {
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			text.WriteString(kind.Text)
			text.WriteByte('\n')
		case *conversationv1.ContentPart_ToolResult:
			gather(text, kind.ToolResult.GetParts())
		}
	}
}

// ends are both ends of a text that is longer than limit bytes.
func ends(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit/2], "") + "\n" + strings.ToValidUTF8(text[len(text)-limit/2:], "")
}

// guardNow looks at a turn before anything is done with it. It returns the turn
// to go on with, and what was found.
func (s *Service) guardNow(ctx context.Context, turn *conversationv1.Turn, key string) (*conversationv1.Turn, *conversationv1.GuardReport, error) {
	mode := s.cfg.Guard.Mode
	if mode != guardRedact && mode != guardRefuse {
		return turn, nil, nil
	}
	typed := turn
	if len(turn.GetMessages()) == 0 && turn.GetRaw() != nil {
		var err error
		if typed, err = s.decode(turn); err != nil {
			return nil, nil, err
		}
	}
	bounded := scope.WithDeadline(ctx, time.Now().Add(s.cfg.Guard.Timeout), nil)
	report := s.look(bounded, typed, key)
	bounded.Cancel(nil)
	switch {
	case report.GetNote() != "" && s.cfg.Guard.FailClosed:
		f := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "the guard could not look at the turn", "room", "classifier")
		f.RetryAfter = time.Second
		return nil, nil, f
	case len(report.GetFindings()) == 0:
		return turn, report, nil
	case mode == guardRefuse:
		s.metrics.guard.WithLabelValues("refused").Inc()
		worst := slices.MaxFunc(report.GetFindings(), func(a, b *conversationv1.GuardFinding) int {
			return int((a.GetProbability() - b.GetProbability()) * 1e6)
		})
		return nil, nil, fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_GUARD_REFUSED,
			fmt.Sprintf("%s: this looks like %s, which this mesh refuses", worst.GetPlace(), riskWords[worst.GetRisk()]),
			"risk", worst.GetRisk(), "where", "request", "field", worst.GetPlace())
	}
	report.Action = conversationv1.GuardAction_GUARD_ACTION_REDACTED
	s.metrics.guard.WithLabelValues("redacted").Inc()
	return withMessages(typed, redacted(typed.GetMessages(), report.GetFindings())), report, nil
}

var riskWords = map[string]string{
	"injection": "orders to the model that are not its user's", "jailbreak": "an attempt to talk the model out of its rules",
}

// redacted are messages without the texts that were found.
func redacted(messages []*conversationv1.Message, findings []*conversationv1.GuardFinding) []*conversationv1.Message {
	out := slices.Clone(messages)
	for i, m := range messages {
		if slices.ContainsFunc(findings, func(f *conversationv1.GuardFinding) bool { return f.GetPlace() == place(i) }) {
			out[i] = proto.CloneOf(m)
			blank(out[i].GetParts())
		}
	}
	return out
}

func blank(parts []*conversationv1.ContentPart) {
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			kind.Text = redactedText
		case *conversationv1.ContentPart_ToolResult:
			blank(kind.ToolResult.GetParts())
		}
	}
}

func place(message int) string { return fmt.Sprintf("messages[%d]", message) }

// look asks the classifier about a typed turn, as long as ctx lasts. It always gives a report; one
// with a note where there was no answer.
func (s *Service) look(ctx context.Context, turn *conversationv1.Turn, key string) *conversationv1.GuardReport {
	begin := time.Now()
	report := &conversationv1.GuardReport{}
	list := screenables(turn.GetMessages())
	if len(list) == 0 {
		return report
	}
	if s.deps.Classifier == nil {
		report.Note = "there is no classifier"
		return report
	}
	req := &classifierv1.ScreenRequest{Key: key}
	for _, one := range list {
		req.Texts = append(req.Texts, one.text)
	}
	resp, err := s.deps.Classifier.Screen(ctx, req)
	if err == nil && !s.screened.Load() {
		s.screened.Store(true)
	}
	report.ElapsedMicros = time.Since(begin).Microseconds()
	if err != nil || len(resp.GetRisks()) != len(list) {
		s.deps.Logger.Debug("the guard got no answer", "error", err)
		s.metrics.guard.WithLabelValues("unanswered").Inc()
		report.Note = "the classifier did not answer in time"
		return report
	}
	report.Screened = int32(len(list))
	for i, risk := range resp.GetRisks() {
		for _, score := range risk.GetScores() {
			if !score.GetFlagged() {
				continue
			}
			finding := &conversationv1.GuardFinding{
				Place: place(list[i].message), Risk: strings.ToLower(strings.TrimPrefix(score.GetKind().String(), "RISK_KIND_")),
				Probability: score.GetProbability(), ModelVersion: score.GetModelVersion(),
			}
			for _, e := range score.GetEvidence() {
				finding.Evidence = append(finding.Evidence, e.GetFeature())
			}
			report.Findings = append(report.Findings, finding)
		}
	}
	if len(report.GetFindings()) > 0 {
		report.Action = conversationv1.GuardAction_GUARD_ACTION_FLAGGED
	}
	return report
}

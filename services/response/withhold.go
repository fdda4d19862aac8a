package response

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// redactedText stands where the guard took a text out.
const redactedText = "[removed by the guard]"

// withholding is the guard at work on one answer, with mode redact or refuse.
// It holds text back until the classifier has seen it together with what
// follows; everything else waits behind the text of its choice. It belongs to
// the goroutine that makes the answer.
type withholding struct {
	s       *Service
	key     string
	refuse  bool
	choices map[int32]*withheld
	started *conversationv1.Event // waits for the first text, so that a refusal can be an error
	out     bool                  // some of the answer has gone out
	blind   bool                  // the classifier did not answer: the rest goes on unseen
	report  conversationv1.GuardReport
}

// withheld is the text of one choice that has not gone out.
type withheld struct {
	events  []*conversationv1.Event
	size    int
	before  string // the end of what has gone out
	removed bool   // what stood last was taken out
	closed  bool   // nothing more goes out
}

func (r *run) withholding() *withholding {
	s := r.s
	if !s.cfg.Guard.acts() || r.kept != nil {
		return nil
	}
	return &withholding{s: s, key: r.owner, refuse: s.cfg.Guard.Mode == guardRefuse, choices: map[int32]*withheld{}}
}

// take takes events, which are borrowed, and returns what may go out now. The
// error is a fault: nothing of the answer may go out then.
func (h *withholding) take(ctx context.Context, events []*conversationv1.Event) ([]*conversationv1.Event, error) {
	var out []*conversationv1.Event
	for _, event := range events {
		var err error
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Started:
			h.started = proto.CloneOf(event)
		case *conversationv1.Event_Text:
			c := h.choice(kind.Text.GetChoice())
			if c.closed {
				continue
			}
			c.events = append(c.events, proto.CloneOf(event))
			if c.size += len(kind.Text.GetText()); c.size >= h.s.cfg.Guard.Hold {
				out, err = h.look(ctx, out, kind.Text.GetChoice(), false)
			}
		case *conversationv1.Event_Reasoning:
			out, err = h.behind(ctx, out, kind.Reasoning.GetChoice(), event)
		case *conversationv1.Event_ToolCall:
			out, err = h.behind(ctx, out, kind.ToolCall.GetChoice(), event)
		case *conversationv1.Event_Refusal:
			out, err = h.behind(ctx, out, kind.Refusal.GetChoice(), event)
		case *conversationv1.Event_ChoiceFinished:
			out, err = h.behind(ctx, out, kind.ChoiceFinished.GetChoice(), event)
		default:
			out = append(out, event)
		}
		if err != nil {
			return nil, err
		}
	}
	return h.begin(out), nil
}

// end returns what is left of an answer that the model has finished.
func (h *withholding) end(ctx context.Context, out []*conversationv1.Event) ([]*conversationv1.Event, error) {
	for _, index := range slices.Sorted(maps.Keys(h.choices)) {
		var err error
		if out, err = h.look(ctx, out, index, true); err != nil {
			return nil, err
		}
	}
	outcome := "passed"
	switch h.report.GetAction() {
	case conversationv1.GuardAction_GUARD_ACTION_REDACTED:
		outcome = "redacted"
	case conversationv1.GuardAction_GUARD_ACTION_REFUSED:
		outcome = "refused"
	}
	if h.report.GetNote() == "" {
		h.s.metrics.guard.WithLabelValues(outcome).Inc()
	}
	return h.begin(out), nil
}

// result is what was found and done; nil where nothing was looked at.
func (h *withholding) result() *conversationv1.GuardReport {
	if h.report.GetScreened() == 0 && h.report.GetNote() == "" {
		return nil
	}
	return &h.report
}

// begin puts the start in front of the first events that go out.
func (h *withholding) begin(out []*conversationv1.Event) []*conversationv1.Event {
	if h.started == nil || len(out) == 0 {
		return out
	}
	out = append([]*conversationv1.Event{h.started}, out...)
	h.started = nil
	return out
}

func (h *withholding) choice(index int32) *withheld {
	c := h.choices[index]
	if c == nil {
		c = &withheld{}
		h.choices[index] = c
	}
	return c
}

// behind lets an event out behind the text of its choice.
func (h *withholding) behind(ctx context.Context, out []*conversationv1.Event, index int32, event *conversationv1.Event) ([]*conversationv1.Event, error) {
	out, err := h.look(ctx, out, index, true)
	if err != nil || h.choice(index).closed {
		return out, err
	}
	h.out = true
	h.choice(index).removed = false
	return append(out, event), nil
}

// look asks about the text of a choice and lets out what may go: all of it, or
// all but the half of what is held back at most.
func (h *withholding) look(ctx context.Context, out []*conversationv1.Event, index int32, all bool) ([]*conversationv1.Event, error) {
	c := h.choice(index)
	if len(c.events) == 0 {
		return out, nil
	}
	if h.blind || h.s.deps.Classifier == nil {
		h.report.Note = "the classifier did not answer in time"
		if h.s.deps.Classifier == nil {
			h.report.Note = "there is no classifier"
		}
		if h.s.cfg.Guard.FailClosed {
			return nil, unseen()
		}
		return h.let(out, c, 0), nil
	}
	var text strings.Builder
	text.WriteString(c.before)
	for _, event := range c.events {
		text.WriteString(event.GetText().GetText())
	}
	found := len(h.report.GetFindings())
	req := &classifierv1.ScreenRequest{Key: h.key}
	for rest := text.String(); ; {
		n := runeEnd(rest, maxScreenLen)
		req.Texts = append(req.Texts, strings.ToValidUTF8(rest[:n], ""))
		if n == len(rest) || len(req.Texts) == maxPieces {
			break
		}
		rest = rest[runeEnd(rest, n-h.s.cfg.Guard.Hold):]
	}
	if err := h.s.screen(ctx, req, &h.report); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		h.blind = true
		return h.look(ctx, out, index, all)
	}
	switch {
	case len(h.report.GetFindings()) == found:
		keep := 0
		if !all {
			keep = h.s.cfg.Guard.Hold / 2
		}
		return h.let(out, c, keep), nil
	case h.refuse:
		return h.close(out, c, index)
	}
	h.report.Action = conversationv1.GuardAction_GUARD_ACTION_REDACTED
	if !c.removed {
		out = append(out, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: index, Text: redactedText}}})
	}
	c.events, c.size, c.before, c.removed, h.out = nil, 0, "", true, true
	return out, nil
}

// maxPieces is how many texts the classifier takes at once.
const maxPieces = 64

// close ends a choice for the client. Where nothing has gone out, the whole
// answer is refused by an error.
func (h *withholding) close(out []*conversationv1.Event, c *withheld, index int32) ([]*conversationv1.Event, error) {
	h.report.Action = conversationv1.GuardAction_GUARD_ACTION_REFUSED
	c.events, c.size, c.closed = nil, 0, true
	if !h.out {
		h.s.metrics.guard.WithLabelValues("refused").Inc()
		return nil, refused(h.report.GetFindings()[len(h.report.GetFindings())-1].GetRisk())
	}
	return append(out, &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{
		Choice: index, Reason: conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER,
	}}}), nil
}

// let lets the text of a choice out, but for the last keep bytes of it.
func (h *withholding) let(out []*conversationv1.Event, c *withheld, keep int) []*conversationv1.Event {
	for len(c.events) > 0 && c.size > keep {
		event := c.events[0]
		delta := event.GetText()
		if n := runeEnd(delta.GetText(), c.size-keep); n < len(delta.GetText()) {
			if n == 0 {
				break
			}
			// Log probabilities belong to whole pieces of text.
			event = &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: delta.GetChoice(), Text: delta.GetText()[:n]}}}
			delta.Text, delta.Logprobs = delta.GetText()[n:], nil
		} else {
			c.events = c.events[1:]
		}
		text := event.GetText().GetText()
		c.size -= len(text)
		c.before += text
		out = append(out, event)
		h.out, c.removed = true, false
	}
	if cut := len(c.before) - h.s.cfg.Guard.Hold/2; cut > 0 {
		for cut < len(c.before) && !utf8.RuneStart(c.before[cut]) {
			cut++
		}
		c.before = c.before[cut:]
	}
	return out
}

// runeEnd is the largest end of a rune in text that is not beyond limit.
func runeEnd(text string, limit int) int {
	if len(text) <= limit {
		return len(text)
	}
	n := max(limit, 0)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}

var riskWords = map[string]string{
	"injection": "orders to a model", "jailbreak": "what a jailbreak brings about",
}

func refused(risk string) *fault.Fault {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_GUARD_REFUSED,
		"the answer looks like "+riskWords[risk]+", which this mesh refuses", "risk", risk, "where", "answer")
}

func unseen() *fault.Fault {
	f := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "the guard could not look at the answer", "room", "classifier")
	f.RetryAfter = time.Second
	return f
}

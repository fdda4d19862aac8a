package gpt

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

// maxSeam bounds the text that a continuation is given.
const maxSeam = 512 << 10

// seam is what is known of an answer that may be continued by another target: the
// text that the client has got, and what it cost so far.
type seam struct {
	text    strings.Builder
	unfit   bool // it holds what cannot be continued
	usage   *conversationv1.Usage
	failure error // why the last attempt broke off
}

// continuation returns the seam of a call whose client wants it continued, else
// nil: where a turn demands what two answers cannot give together.
func continuation(turn *conversationv1.Turn, allowed bool) *seam {
	if turn.GetOnFailure() != conversationv1.OnFailure_ON_FAILURE_CONTINUE || !allowed {
		return nil
	}
	kind := turn.GetResponseFormat().GetKind()
	if kind > conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_TEXT || turn.Suffix != nil || turn.GetRawPrompt() ||
		turn.GetSampling().GetChoiceCount() > 1 || turn.GetSampling().GetLogprobs() {
		return nil
	}
	return &seam{}
}

// note takes in what is sent to the client.
func (s *seam) note(chunk *conversationv1.Chunk) {
	for _, event := range chunk.GetEvents() {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Text:
			s.unfit = s.unfit || kind.Text.GetChoice() > 0 || s.text.Len()+len(kind.Text.GetText()) > maxSeam
			if !s.unfit {
				s.text.WriteString(kind.Text.GetText())
			}
		case *conversationv1.Event_ToolCall, *conversationv1.Event_Refusal, *conversationv1.Event_ChoiceFinished:
			s.unfit = true
		}
	}
}

// add counts what a broken attempt used.
func (s *seam) add(usage *conversationv1.Usage) { s.usage = sum(s.usage, usage) }

// sum adds counts of tokens. The source is the less certain one.
func sum(a, b *conversationv1.Usage) *conversationv1.Usage {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return &conversationv1.Usage{
		InputTokens: a.GetInputTokens() + b.GetInputTokens(), OutputTokens: a.GetOutputTokens() + b.GetOutputTokens(),
		CachedInputTokens: a.GetCachedInputTokens() + b.GetCachedInputTokens(),
		CacheWriteTokens:  a.GetCacheWriteTokens() + b.GetCacheWriteTokens(),
		ReasoningTokens:   a.GetReasoningTokens() + b.GetReasoningTokens(),
		Source:            max(a.GetSource(), b.GetSource()),
	}
}

// goOn is the instruction under which another model goes on.
const goOn = "Your answer above was cut off. Continue it exactly where it stops, in the same language and form. " +
	"Do not repeat any of it and do not comment on the interruption."

// turn is the turn whose answer continues the text: the conversation, what was
// said so far, and the instruction.
func (s *seam) turn(turn *conversationv1.Turn) (*conversationv1.Turn, error) {
	decoded, err := typed(turn)
	if err != nil {
		return nil, err
	}
	out := withoutRaw(decoded)
	out.Messages = append(out.Messages[:len(out.Messages):len(out.Messages)], plain(conversationv1.Role_ROLE_ASSISTANT, s.text.String()),
		plain(conversationv1.Role_ROLE_USER, goOn))
	out.AcceptWire = conversationv1.Wire_WIRE_UNSPECIFIED
	return out, nil
}

func plain(role conversationv1.Role, text string) *conversationv1.Message {
	return &conversationv1.Message{Role: role, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: text}}}}
}

// join makes the first chunk of a continuation fit behind what was sent: the
// start becomes the mark of the seam.
func (s *seam) join(a *attempt, chunk *conversationv1.Chunk) {
	mark := &conversationv1.Event{Kind: &conversationv1.Event_Continued{Continued: &conversationv1.Continued{
		Provider: a.row.GetProvider(), Model: a.row.GetModel(), AttemptId: a.row.GetId(), Failure: wire.Failure(fault.From(s.failure)),
	}}}
	events := []*conversationv1.Event{mark}
	for _, event := range chunk.GetEvents() {
		if event.GetStarted() == nil {
			events = append(events, event)
		}
	}
	chunk.Events = events
}

// broken is the end of an answer that nobody could continue.
func (s *seam) broken(err error) *conversationv1.Chunk {
	var events []*conversationv1.Event
	if s != nil && s.usage != nil {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: s.usage}})
	}
	failed := &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(fault.From(err))}}
	return &conversationv1.Chunk{Events: append(events, failed)}
}

// interrupts says that a failure leaves the answer to be continued.
func (a *attempt) interrupts(err error) bool {
	s := a.call.seam
	if s == nil || s.unfit || !a.call.begun.Load() {
		return false
	}
	return health(err) == breaker.Failure || !a.sent && classOf(err) != ""
}

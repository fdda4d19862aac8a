package echo

import (
	"strings"
	"unicode"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// plan is a whole answer, one event per token.
type plan struct {
	tokens    []*conversationv1.Event
	reasoning int
	reason    conversationv1.FinishReason
}

func (a *answer) plan() plan {
	p := plan{reason: conversationv1.FinishReason_FINISH_REASON_STOP, reasoning: a.options.Reasoning}
	said := lastUserText(a.turn)
	for _, piece := range repeat(pieces("thinking about what was said "), a.options.Reasoning) {
		p.tokens = append(p.tokens, &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Text: piece}}})
	}
	switch {
	case len(a.options.Tools) > 0:
		p.tokens = append(p.tokens, calls(a.options.Tools, a.options.Args)...)
		p.reason = conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	case len(a.turn.GetMessages()) == 0:
		p.reason = conversationv1.FinishReason_FINISH_REASON_LOAD
	default:
		for _, piece := range a.words(said) {
			p.tokens = append(p.tokens, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: piece}}})
		}
	}
	switch a.options.Finish {
	case "length":
		p.reason = conversationv1.FinishReason_FINISH_REASON_LENGTH
	case "content_filter":
		p.reason = conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER
	}
	if limit := a.turn.GetMaxOutputTokens(); limit > 0 && int64(len(p.tokens)) > limit && len(a.options.Tools) == 0 {
		p.tokens = p.tokens[:limit]
		p.reasoning = min(p.reasoning, int(limit))
		p.reason = conversationv1.FinishReason_FINISH_REASON_LENGTH
	}
	return p
}

// words is the answer in tokens.
func (a *answer) words(said string) []string {
	switch a.turn.GetResponseFormat().GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT:
		return pieces(`{"echo": ` + quoted(said) + `}`)
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		return pieces(sample([]byte(a.turn.GetResponseFormat().GetSchemaJson()), said))
	}
	if said == "" {
		said = "(nothing was said)"
	}
	if a.options.Tokens > 0 {
		return repeat(pieces(said), a.options.Tokens)
	}
	return pieces(said)
}

// calls makes each call's head a token of its own, then its arguments.
func calls(names []string, args string) (events []*conversationv1.Event) {
	for i, name := range names {
		head := &conversationv1.ToolCallDelta{Index: int32(i), Id: "call_echo_" + itoa(i+1), Name: name}
		body := &conversationv1.ToolCallDelta{Index: int32(i), ArgumentsJson: args}
		for _, delta := range []*conversationv1.ToolCallDelta{head, body} {
			events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: delta}})
		}
	}
	return events
}

func lastUserText(turn *conversationv1.Turn) string {
	messages := turn.GetMessages()
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].GetRole() != conversationv1.Role_ROLE_USER {
			continue
		}
		var text []string
		for _, part := range messages[i].GetParts() {
			if part.GetText() != "" {
				text = append(text, part.GetText())
			}
		}
		return strings.Join(text, "\n")
	}
	return ""
}

// pieces cuts a text into words, each with the space behind it.
func pieces(text string) (out []string) {
	start, space := 0, false
	for i, r := range text {
		if unicode.IsSpace(r) {
			space = true
		} else if space {
			out, start, space = append(out, text[start:i]), i, false
		}
	}
	if start < len(text) {
		out = append(out, text[start:])
	}
	return out
}

// repeat makes exactly n of the words.
func repeat(words []string, n int) []string {
	out := make([]string, 0, n)
	for len(out) < n {
		for i, word := range words {
			if len(out) == n {
				break
			}
			if i == len(words)-1 && !strings.HasSuffix(word, " ") && len(out) < n-1 {
				word += " "
			}
			out = append(out, word)
		}
	}
	return out
}

func quoted(text string) string { return string(jsonscan.AppendString(nil, text)) }

package openai

import (
	"slices"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
)

// gapTokens bounds an answer for a client of another dialect that set no bound:
// servers would stop after 16 tokens.
const gapTokens = 1024

// EncodeTurn implements wire.Codec. Of the typed half the last user message is
// the prompt; messages before it, tools and pictures are dropped. Without a
// limit, a turn of another dialect gets DefaultMaxOutputTokens, or 1024.
func (completions) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) (body []byte, lost []string, err error) {
	if raw := turn.GetRaw(); raw.GetWire() == completionsWire && len(raw.GetBody()) > 0 {
		body, err = splicePrompt(turn, options)
		return body, nil, err
	}
	e := turnEncoder{turn: turn, options: options, client: turn.GetExtraWire(), wire: completionsWire, dropped: dropped.List{Client: turn.GetExtraWire()}}
	if err := e.encodePrompt(); err != nil {
		return nil, nil, err
	}
	return e.B, e.dropped.Names, nil
}

// splicePrompt keeps a raw body but for what the mesh acts on.
func splicePrompt(turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, error) {
	var h promptHead
	body := turn.GetRaw().GetBody()
	if err := h.scan(body); err != nil {
		return nil, err
	}
	limit := jsonscan.Edit{At: h.members[ofMaxTokens], Key: "max_tokens", Value: h.members[ofMaxTokens].Raw(body)}
	if turn.MaxOutputTokens != nil {
		if n, err := h.at(ofMaxTokens).Integer(); err != nil || n != turn.GetMaxOutputTokens() {
			limit.Value = strconv.AppendInt(nil, turn.GetMaxOutputTokens(), 10)
		}
	}
	streaming := jsonscan.Edit{At: h.members[ofStreamOptions], Key: "stream_options"}
	if options.Stream && !slices.Contains(options.Quirks, quirkNoStreamOptions) {
		value, err := streamOptions(h.members[ofStreamOptions].Raw(body), options.WantUsage)
		if err != nil {
			return nil, err
		}
		streaming.Value = value
	}
	out, err := jsonscan.Splice(nil, body, limit, streaming,
		jsonscan.Edit{At: h.members[ofModel], Key: "model", Value: jsonscan.AppendString(nil, options.Model)},
		jsonscan.Edit{At: h.members[ofStream], Key: "stream", Value: truth(options.Stream)})
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

func (e *turnEncoder) encodePrompt() error {
	e.B = make([]byte, 0, sizeHint(e.turn))
	e.Open('{')
	e.member("model")
	e.Str(e.options.Model)
	if err := e.prompt(); err != nil {
		return err
	}
	if e.turn.Suffix != nil {
		e.member("suffix")
		e.Str(e.turn.GetSuffix())
	}
	e.promptSampling()
	e.promptDrops()
	if e.turn.GetUser() != "" {
		e.member("user")
		e.Str(e.turn.GetUser())
	}
	return e.ending()
}

// prompt writes the last user message.
func (e *turnEncoder) prompt() error {
	var last *conversationv1.Message
	for _, message := range e.turn.GetMessages() {
		if message.GetRole() == conversationv1.Role_ROLE_USER {
			last = message
		}
	}
	if last == nil {
		return fault.InvalidField("turn.messages", "needs a user message: it is the prompt")
	}
	if len(e.turn.GetMessages()) > 1 {
		e.drop(dropped.Messages)
	}
	var text strings.Builder
	for _, part := range last.GetParts() {
		if kind, ok := part.GetKind().(*conversationv1.ContentPart_Text); ok {
			text.WriteString(kind.Text)
		} else {
			e.drop(dropped.Image)
		}
	}
	e.member("prompt")
	e.Str(text.String())
	return nil
}

func (e *turnEncoder) promptSampling() {
	switch {
	case e.turn.MaxOutputTokens != nil:
		e.member("max_tokens")
		e.Int(e.turn.GetMaxOutputTokens())
	case e.client != completionsWire:
		limit := e.options.DefaultMaxOutputTokens
		if limit <= 0 {
			limit = gapTokens
		}
		e.member("max_tokens")
		e.Int(limit)
	}
	s := e.turn.GetSampling()
	if s == nil {
		return
	}
	e.common(s)
	if s.GetLogprobs() {
		e.member("logprobs")
		e.Int(int64(s.GetTopLogprobs()))
	}
	e.logitBias(s)
}

// promptDrops names what a prompt has no place for.
func (e *turnEncoder) promptDrops() {
	if len(e.turn.GetTools()) > 0 {
		e.drop(dropped.Tools)
	}
	switch e.turn.GetResponseFormat().GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT, conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		e.drop(dropped.ResponseFormat)
	}
	if r := e.turn.GetReasoning(); r != nil {
		if r.Enabled != nil || r.GetEffort() != "" {
			e.drop(dropped.Thinking)
		}
		if r.BudgetTokens != nil {
			e.drop(dropped.Budget)
		}
	}
}

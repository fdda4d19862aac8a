package openai

import (
	"bytes"
	"regexp"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/toolcalls"
	"google.golang.org/protobuf/proto"
)

// The quirks of providers; doc.go tells what they do.
const (
	quirkMaxTokens           = "max_tokens"
	quirkMaxCompletionTokens = "max_completion_tokens"
	quirkNoStreamOptions     = "no_stream_options"
	quirkNoDeveloperRole     = "no_developer_role"
	quirkExtendedSampling    = "extended_sampling"
	quirkRepetitionPenalty   = "repetition_penalty"
	quirkStringContent       = "string_content"
	quirkReasoningHistory    = "reasoning_history"
)

// Quirks are the names of those that this codec knows.
func Quirks() []string {
	return []string{
		quirkMaxTokens,
		quirkMaxCompletionTokens,
		quirkNoStreamOptions,
		quirkNoDeveloperRole,
		quirkExtendedSampling,
		quirkRepetitionPenalty,
		quirkStringContent,
		quirkReasoningHistory,
	}
}

// EncodeTurn implements wire.Codec. DefaultMaxOutputTokens is not read: the
// dialect demands no limit.
func (c chat) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) (body []byte, lost []string, err error) {
	raw := turn.GetRaw()
	if raw.GetWire() == own && len(raw.GetBody()) > 0 {
		if !reachesIntoMessages(raw.GetBody(), options.Quirks) {
			body, err = spliceTurn(turn, options)
			return body, nil, err
		}
		if options.AskedUsage != nil {
			*options.AskedUsage = AsksUsage(turn)
		}
		decoded, err := c.DecodeTurn(raw.GetBody())
		if err != nil {
			return nil, nil, err
		}
		if turn.MaxOutputTokens != nil {
			decoded.MaxOutputTokens = turn.MaxOutputTokens
		}
		turn = decoded
	} else if options.AskedUsage != nil {
		*options.AskedUsage = AsksUsage(turn)
	}
	if len(turn.GetMessages()) == 0 {
		return nil, nil, fault.InvalidField("turn.messages", "needs at least one message")
	}
	e := turnEncoder{turn: turn, options: options, client: turn.GetExtraWire(), wire: own, dropped: dropped.List{Client: turn.GetExtraWire()}}
	if err := e.encode(); err != nil {
		return nil, nil, err
	}
	return e.B, e.dropped.Names, nil
}

// reachesIntoMessages says whether a quirk changes what a raw body has inside.
func reachesIntoMessages(body []byte, quirks []string) bool {
	return slices.Contains(quirks, quirkNoDeveloperRole) && bytes.Contains(body, []byte(`"developer"`)) ||
		slices.Contains(quirks, quirkStringContent) && bytes.Contains(body, []byte(`"type"`))
}

// ownModels are the names of OpenAI's own models, which the newer ones among
// them serve with max_completion_tokens only.
var ownModels = regexp.MustCompile(`^(?:[^/]*/)?(?:gpt-|o[1-9](?:$|-)|chatgpt-|codex-)`)

var openModels = regexp.MustCompile(`^(?:[^/]*/)*gpt-oss`)

// limitName is the member that bounds the answer.
func limitName(options wire.TurnOptions) string {
	switch {
	case slices.Contains(options.Quirks, quirkMaxTokens):
		return "max_tokens"
	case slices.Contains(options.Quirks, quirkMaxCompletionTokens):
		return "max_completion_tokens"
	case ownModels.MatchString(options.Model) && !openModels.MatchString(options.Model):
		return "max_completion_tokens"
	}
	return "max_tokens"
}

// turnEncoder encodes one typed turn.
type turnEncoder struct {
	writer
	turn    *conversationv1.Turn
	options wire.TurnOptions
	// client is the dialect of extra members, wire the one that is written.
	client  conversationv1.Wire
	wire    conversationv1.Wire
	dropped dropped.List
	written []string // top-level members
	room    [12]string
	// images of tool results wait for the next message.
	images []toolImages
}

func (e *turnEncoder) quirk(name string) bool { return slices.Contains(e.options.Quirks, name) }

func (e *turnEncoder) drop(field dropped.Field) { e.dropped.Add(field) }

// member begins a top-level member.
func (e *turnEncoder) member(name string) {
	e.Key(name)
	e.written = append(e.written, name)
}

func (e *turnEncoder) encode() error {
	if e.B = e.options.Room[:0]; cap(e.B) < sizeHint(e.turn) {
		e.B = make([]byte, 0, sizeHint(e.turn))
	}
	e.written = e.room[:0]
	e.Open('{')
	e.member("model")
	e.Str(e.options.Model)
	for _, step := range []func() error{e.messages, e.tools, e.sampling, e.format, e.rest} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// sizeHint is about how long the body will be.
func sizeHint(turn *conversationv1.Turn) int {
	size := 1024 + len(turn.GetExtraJson())
	for _, message := range turn.GetMessages() {
		size += 64
		for _, part := range message.GetParts() {
			size += 64 + len(part.GetText()) + len(part.GetToolCall().GetArgumentsJson())
			for _, inner := range part.GetToolResult().GetParts() {
				size += len(inner.GetText())
			}
		}
	}
	for _, tool := range turn.GetTools() {
		size += 128 + len(tool.GetDescription()) + len(tool.GetParametersJson())
	}
	return size + size/16
}

func (e *turnEncoder) messages() error {
	messages := e.turn.GetMessages()
	if toolcalls.LackIDs(messages) {
		messages = proto.CloneOf(e.turn).GetMessages()
		toolcalls.Join(messages)
	}
	e.member("messages")
	e.Open('[')
	for i, message := range messages {
		if err := e.message(i, message); err != nil {
			return err
		}
	}
	e.toolImages()
	e.Close(']')
	return nil
}

package responses

import (
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

type itemKind uint8

const (
	messageItem itemKind = iota
	reasoningItem
	callItem
	opaqueItem
)

// item is an item of an answer, or of the assistant's part of a conversation.
type item struct {
	kind itemKind
	id   string
	// parts are those of a message.
	parts []*piece
	// thought is the text of reasoning, arguments those of a call.
	thought, arguments strings.Builder
	signature          string
	redacted           string
	sealed             bool // reasoning that takes nothing more
	callID             string
	called             called
	json               string // of an opaque item
	shape              jsonbody.Shape
	input              strings.Builder // of a call of a custom tool
	reader             texttool.Reader // takes it out of the arguments

	// What a stream has shown of it.
	announced, done bool
	shown           int // bytes of text of the last part, of thought or of arguments
	shownTokens     int // log probabilities of the last part
	part            int // the part that is open
	partOpen        bool
}

// piece is one part of a message.
type piece struct {
	refusal  bool
	text     strings.Builder
	logprobs []*conversationv1.TokenLogprob
}

// output is the list of items in the making. It holds at most maxBytes.
type output struct {
	id       string // of the answer
	echo     *Echo  // of the client's turn; nil where it is not known
	items    []*item
	calls    []*item // by index
	fresh    bool    // the next text is a part of its own
	waiting  []*conversationv1.TokenLogprob
	bytes    int
	maxBytes int
}

const itemBytes = 64

func (o *output) grow(n int) error {
	limit := o.maxBytes
	if limit <= 0 {
		limit = wire.DefaultMaxAnswerBytes
	}
	if o.bytes+n > limit {
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
			"the answer is larger than "+strconv.Itoa(limit)+" bytes", "limit_bytes", strconv.Itoa(limit))
	}
	o.bytes += n
	return nil
}

// last is the newest item where that is of a kind, else nil.
func (o *output) last(kind itemKind) *item {
	if n := len(o.items); n > 0 && o.items[n-1].kind == kind && !o.items[n-1].sealed && !o.items[n-1].done {
		return o.items[n-1]
	}
	return nil
}

// begin adds an item.
func (o *output) begin(kind itemKind, prefix string) *item {
	it := &item{kind: kind, id: itemID(prefix, o.id, len(o.items))}
	o.items = append(o.items, it)
	return it
}

// appendCopies appends copies of what an event holds, which is lent.
func appendCopies(to, logprobs []*conversationv1.TokenLogprob) []*conversationv1.TokenLogprob {
	for _, token := range logprobs {
		to = append(to, proto.CloneOf(token))
	}
	return to
}

// addText adds to a text or refusal.
func (o *output) addText(refusal bool, text string, logprobs []*conversationv1.TokenLogprob) error {
	if err := o.grow(len(text) + itemBytes*(1+len(logprobs))); err != nil {
		return err
	}
	if text == "" && len(logprobs) == 0 {
		return nil
	}
	it := o.last(messageItem)
	if it == nil && text == "" {
		o.waiting = appendCopies(o.waiting, logprobs)
		return nil
	}
	if it == nil {
		it = o.begin(messageItem, messagePrefix)
	}
	n := len(it.parts)
	if n == 0 || it.parts[n-1].refusal != refusal || o.fresh {
		it.parts = append(it.parts, &piece{refusal: refusal})
		n++
	}
	part := it.parts[n-1]
	part.text.WriteString(text)
	part.logprobs = appendCopies(append(part.logprobs, o.waiting...), logprobs)
	o.waiting = nil
	return nil
}

// addReasoning adds to a block, ends it, or adds an encrypted one.
func (o *output) addReasoning(text, signature, redacted string) error {
	if err := o.grow(len(text) + len(signature) + len(redacted) + itemBytes); err != nil {
		return err
	}
	if text != "" || signature != "" {
		it := o.last(reasoningItem)
		if it == nil {
			it = o.begin(reasoningItem, reasoningPrefix)
		}
		it.thought.WriteString(text)
		if signature != "" {
			it.signature, it.sealed = signature, true
		}
	}
	if redacted != "" {
		it := o.begin(reasoningItem, reasoningPrefix)
		it.redacted, it.sealed = redacted, true
	}
	return nil
}

// addCall begins a call, or goes on with the one of an index.
func (o *output) addCall(index int, call *conversationv1.ToolCall) error {
	text := call.GetArgumentsJson()
	if err := o.grow(len(text) + len(call.GetId()) + len(call.GetName()) + itemBytes); err != nil {
		return err
	}
	if index == len(o.calls) {
		prefix, tool := callPrefix, o.echo.called(call.GetName())
		if tool.custom = tool.custom || call.GetWireType() == texttool.WireType; tool.custom {
			prefix = customPrefix
		}
		it := o.begin(callItem, prefix)
		it.callID, it.called = call.GetId(), tool
		o.calls = append(o.calls, it)
	}
	if index < 0 || index >= len(o.calls) {
		return protocol("a tool call's index is out of order", nil)
	}
	it := o.calls[index]
	if it.done {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		return protocol("a tool call goes on behind the end of its arguments", nil)
	}
	it.arguments.WriteString(text)
	it.shape.Follow(text)
	if it.called.custom {
		it.input.WriteString(it.reader.Add(text))
		if it.shape.Whole() {
			it.settle()
		}
	}
	return nil
}

// given is what the client hears of a call's arguments: of a custom tool's, the
// text in them.
func (it *item) given() string {
	if it.called.custom {
		return it.input.String()
	}
	return it.arguments.String()
}

// settle ends the arguments of a call.
func (it *item) settle() {
	if it.called.custom {
		it.input.WriteString(it.reader.End())
	}
}

// addPart adds a part of an assistant's message that is at hand as a whole.
func (o *output) addPart(part *conversationv1.ContentPart) error {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		o.fresh = true
		return o.addText(false, kind.Text, nil)
	case *conversationv1.ContentPart_Refusal:
		o.fresh = true
		return o.addText(true, kind.Refusal, nil)
	case *conversationv1.ContentPart_Reasoning:
		if it := o.last(reasoningItem); it != nil {
			it.sealed = true // each part is a block of its own
		}
		return o.addReasoning(kind.Reasoning.GetText(), kind.Reasoning.GetSignature(), kind.Reasoning.GetRedacted())
	case *conversationv1.ContentPart_ToolCall:
		return o.addCall(len(o.calls), kind.ToolCall)
	case *conversationv1.ContentPart_Opaque:
		if err := o.grow(len(kind.Opaque.GetJson())); err != nil {
			return err
		}
		o.begin(opaqueItem, otherPrefix).json = kind.Opaque.GetJson()
	}
	return nil
}

// whole says whether the item has ended once another one has begun.
func (it *item) whole() bool { return it.kind != callItem || it.shape.Whole() }

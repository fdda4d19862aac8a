package wire

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// DefaultMaxAnswerBytes bounds an assembled answer where no other bound is
// set: 32 MiB.
const DefaultMaxAnswerBytes = 32 << 20

// pieceBytes is what a part, a tool call or a token with its log probability
// counts for beside its text.
const pieceBytes = 64

// Assembler makes a whole answer of its events. Its zero value is ready. It
// does not judge the order of events, Grammar does: of two starts the first
// stays, and of usage the last. It keeps no reference to events but for their
// strings. Not safe for concurrent use, and not to be copied once it is used.
type Assembler struct {
	// MaxBytes bounds what is kept; 0 means DefaultMaxAnswerBytes.
	MaxBytes int

	answer  Answer
	choices []*assembly
	bytes   int
	lent    *[]byte // see Lend; nil for none, and once a piece has it

	// Most answers are one choice.
	first assembly
	room  [1]*assembly
}

// assembly is a choice in the making.
type assembly struct {
	parts           []*piece
	calls           []call
	logprobs        []*conversationv1.TokenLogprob
	refusalLogprobs []*conversationv1.TokenLogprob
	reason          conversationv1.FinishReason
	stopSequence    string
	seen            bool

	// Most choices are one text.
	first piece
	room  [1]*piece
}

// piece is a content part in the making.
type piece struct {
	kind   pieceKind
	whole  string          // its text, until there is more of it
	text   strings.Builder // all of it from then on, where it does not lie in lent
	lent   *[]byte         // nil for none
	closed bool            // nothing may be added
	// The rest of a reasoning block or a tool call.
	signature, redacted string
	id, name            string
}

type pieceKind uint8

const (
	textPiece pieceKind = iota
	refusalPiece
	reasoningPiece
	callPiece
)

// call finds the piece of a tool call.
type call struct {
	index int32
	piece *piece
}

// Lend makes the first text that comes in several events lie in *room, which grows where it
// must: an Answer with it is good until somebody else uses that. It must be called before Add.
func (a *Assembler) Lend(room *[]byte) { a.lent = room }

// Add adds events, in order. The error is a fault: TOO_LARGE when the answer
// outgrows MaxBytes, PROVIDER_PROTOCOL for a choice that no turn can ask for.
// What stood before it stays.
func (a *Assembler) Add(events ...*conversationv1.Event) error {
	for _, event := range events {
		if err := a.add(event); err != nil {
			return err
		}
	}
	return nil
}

func (a *Assembler) add(event *conversationv1.Event) error {
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		if a.answer.Started == nil {
			a.answer.Started = CopyStarted(kind.Started)
		}
	case *conversationv1.Event_Text:
		return a.addText(textPiece, kind.Text)
	case *conversationv1.Event_Refusal:
		return a.addText(refusalPiece, kind.Refusal)
	case *conversationv1.Event_Reasoning:
		return a.addReasoning(kind.Reasoning)
	case *conversationv1.Event_ToolCall:
		return a.addToolCall(kind.ToolCall)
	case *conversationv1.Event_ChoiceFinished:
		choice, err := a.choice(kind.ChoiceFinished.GetChoice())
		if err != nil {
			return err
		}
		choice.reason, choice.stopSequence = kind.ChoiceFinished.GetReason(), kind.ChoiceFinished.GetStopSequence()
	case *conversationv1.Event_Usage:
		a.answer.Usage = CopyUsage(kind.Usage)
	case *conversationv1.Event_Finished:
		a.answer.Finished, a.answer.FinishedAt = true, kind.Finished.GetFinishTime().GetSeconds()
	case *conversationv1.Event_Failed:
		a.answer.Failure = proto.CloneOf(kind.Failed)
	}
	return nil
}

func (a *Assembler) addText(kind pieceKind, delta *conversationv1.TextDelta) error {
	choice, err := a.choice(delta.GetChoice())
	if err != nil {
		return err
	}
	if n := len(delta.GetLogprobs()); n > 0 {
		size := 0
		for _, token := range delta.GetLogprobs() {
			size += pieceBytes * (1 + len(token.GetTop()))
		}
		if err := a.grow(size); err != nil {
			return err
		}
		kept := &choice.logprobs
		if kind == refusalPiece {
			kept = &choice.refusalLogprobs
		}
		for _, token := range delta.GetLogprobs() {
			*kept = append(*kept, proto.CloneOf(token))
		}
	}
	if delta.GetText() == "" {
		return nil
	}
	return a.write(choice.last(kind), choice, kind, delta.GetText())
}

func (a *Assembler) addReasoning(delta *conversationv1.ReasoningDelta) error {
	choice, err := a.choice(delta.GetChoice())
	if err != nil {
		return err
	}
	if text, signature := delta.GetText(), delta.GetSignature(); text != "" || signature != "" {
		if err := a.grow(len(signature)); err != nil {
			return err
		}
		if err := a.write(choice.last(reasoningPiece), choice, reasoningPiece, text); err != nil {
			return err
		}
		if signature != "" {
			block := choice.parts[len(choice.parts)-1]
			block.signature, block.closed = signature, true
		}
	}
	if redacted := delta.GetRedacted(); redacted != "" {
		if err := a.grow(len(redacted) + pieceBytes); err != nil {
			return err
		}
		choice.parts = append(choice.parts, &piece{kind: reasoningPiece, redacted: redacted, closed: true})
	}
	return nil
}

func (a *Assembler) addToolCall(delta *conversationv1.ToolCallDelta) error {
	choice, err := a.choice(delta.GetChoice())
	if err != nil {
		return err
	}
	if err := a.grow(len(delta.GetArgumentsJson())); err != nil {
		return err
	}
	at := choice.call(delta.GetIndex())
	if at == nil {
		if err := a.grow(pieceBytes + len(delta.GetId()) + len(delta.GetName())); err != nil {
			return err
		}
		at = &piece{kind: callPiece, id: delta.GetId(), name: delta.GetName()}
		choice.parts = append(choice.parts, at)
		choice.calls = append(choice.calls, call{delta.GetIndex(), at})
	}
	at.add(delta.GetArgumentsJson(), nil)
	return nil
}

// write adds text to the piece at, or to a new one where that is nil.
func (a *Assembler) write(at *piece, choice *assembly, kind pieceKind, text string) error {
	size := len(text)
	if at == nil {
		size += pieceBytes
	}
	if err := a.grow(size); err != nil {
		return err
	}
	if at == nil {
		if choice.parts == nil {
			at, choice.parts = &choice.first, choice.room[:0]
		} else {
			at = new(piece)
		}
		at.kind = kind
		choice.parts = append(choice.parts, at)
	}
	if at.add(text, a.lent) {
		a.lent = nil
	}
	return nil
}

// add adds text, which may lie in lent from now on, where that is not nil: took says so. An
// answer that is one body has one text, which is not copied.
func (p *piece) add(text string, lent *[]byte) (took bool) {
	switch {
	case p.lent != nil:
		*p.lent = append(*p.lent, text...)
	case p.text.Len() > 0:
		p.text.WriteString(text)
	case p.whole == "":
		p.whole = text
	case text != "" && lent != nil:
		*lent = append(append((*lent)[:0], p.whole...), text...)
		p.lent, p.whole = lent, ""
		return true
	case text != "":
		p.text.WriteString(p.whole)
		p.text.WriteString(text)
		p.whole = ""
	}
	return false
}

// last is the newest piece where that is of the kind and may grow, else nil.
func (c *assembly) last(kind pieceKind) *piece {
	if n := len(c.parts); n > 0 && c.parts[n-1].kind == kind && !c.parts[n-1].closed {
		return c.parts[n-1]
	}
	return nil
}

func (c *assembly) call(index int32) *piece {
	for i := len(c.calls) - 1; i >= 0; i-- {
		if c.calls[i].index == index {
			return c.calls[i].piece
		}
	}
	return nil
}

func (a *Assembler) choice(index int32) (*assembly, error) {
	if index < 0 || index >= MaxChoices {
		return nil, breach(fmt.Sprintf("choice %d", index))
	}
	if a.choices == nil {
		a.choices = append(a.room[:0], &a.first)
	}
	for int(index) >= len(a.choices) {
		a.choices = append(a.choices, &assembly{})
	}
	a.choices[index].seen = true
	return a.choices[index], nil
}

func (a *Assembler) grow(n int) error {
	limit := a.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxAnswerBytes
	}
	if a.bytes+n > limit {
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
			"the answer is larger than "+strconv.Itoa(limit)+" bytes", "limit_bytes", strconv.Itoa(limit))
	}
	a.bytes += n
	return nil
}

// Answer is the answer so far. It shares nothing that a later Add changes.
// Started is never nil; choices that no event spoke of are left out.
func (a *Assembler) Answer() *Answer {
	out := a.answer
	if out.Started == nil {
		out.Started = &conversationv1.Started{}
	}
	out.Choices = a.AppendChoices(nil)
	return &out
}

// AppendChoices appends those of Answer to dst.
func (a *Assembler) AppendChoices(dst []Choice) []Choice {
	for index, choice := range a.choices {
		if !choice.seen {
			continue
		}
		dst = append(dst, Choice{
			Index: int32(index), Message: choice.message(), FinishReason: choice.reason, StopSequence: choice.stopSequence,
			Logprobs:        choice.logprobs[:len(choice.logprobs):len(choice.logprobs)],
			RefusalLogprobs: choice.refusalLogprobs[:len(choice.refusalLogprobs):len(choice.refusalLogprobs)],
		})
	}
	return dst
}

// plainMessage is a message of one text, in one piece of memory.
type plainMessage struct {
	message conversationv1.Message
	part    conversationv1.ContentPart
	text    conversationv1.ContentPart_Text
	parts   [1]*conversationv1.ContentPart
}

func (c *assembly) message() *conversationv1.Message {
	if len(c.parts) == 1 && c.parts[0].kind == textPiece {
		m := new(plainMessage)
		m.text.Text, m.part.Kind, m.parts[0] = c.parts[0].all(), &m.text, &m.part
		m.message.Role, m.message.Parts = conversationv1.Role_ROLE_ASSISTANT, m.parts[:]
		return &m.message
	}
	message := &conversationv1.Message{Role: conversationv1.Role_ROLE_ASSISTANT}
	for _, part := range c.parts {
		message.Parts = append(message.Parts, part.content())
	}
	return message
}

// all is the piece's whole text.
func (p *piece) all() string {
	if p.lent != nil {
		return unsafe.String(unsafe.SliceData(*p.lent), len(*p.lent))
	}
	if p.text.Len() > 0 {
		return p.text.String()
	}
	return p.whole
}

func (p *piece) content() *conversationv1.ContentPart {
	text := p.all()
	switch p.kind {
	case refusalPiece:
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Refusal{Refusal: text}}
	case reasoningPiece:
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: &conversationv1.Reasoning{
			Text: text, Signature: p.signature, Redacted: p.redacted,
		}}}
	case callPiece:
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{
			Id: p.id, Name: p.name, ArgumentsJson: text,
		}}}
	}
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: text}}
}

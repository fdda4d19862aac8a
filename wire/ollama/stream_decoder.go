package ollama

import (
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/alike"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
)

var messageKeys = jsonscan.NewKeys("content", "thinking", "tool_calls")

// streamDecoder decodes the lines of one answer.
type streamDecoder struct {
	lines
	calls int32
	inner [3]jsonscan.Member

	twin    alike.Mould // the last line, where it added to the text and did nothing else
	like    alike.Texts // of those that were like it
	lessons int         // how often one was kept since another was like it
	plain   bool        // the line just read could be kept
}

// decoders are those of streams that may be used again.
var decoders = sync.Pool{New: func() any { return new(streamDecoder) }}

// NewStreamDecoder implements wire.Codec.
func (c codec) NewStreamDecoder() wire.StreamDecoder {
	d := decoders.Get().(*streamDecoder)
	d.codec = c
	return d
}

// Release gives the decoder's memory to others: it must not be used any more.
func (d *streamDecoder) Release() {
	d.twin.Forget()
	d.like.Forget()
	*d = streamDecoder{twin: d.twin, like: d.like}
	decoders.Put(d)
}

// LendEvents implements wire.Lender.
func (d *streamDecoder) LendEvents() { d.like.Lend() }

// Decode implements wire.StreamDecoder. What follows the line that said done is
// passed over, unless it tells of an error.
func (d *streamDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	var err error
	d.like.Back()
	for !d.failed && err == nil {
		if d.twin.Known {
			count := 0
			if dst, data, count = d.like.Decode(dst, &d.twin, 0, data); count > 0 {
				d.lessons = 0
			}
		}
		if len(data) == 0 {
			break
		}
		line, rest := nextLine(data)
		raw := data[:len(data)-len(rest)]
		if data = rest; len(line) == 0 {
			continue
		}
		d.twin.Known = false
		if dst, err = d.decodeLine(dst, line); d.plain && err == nil && d.lessons < alike.MaxLessons {
			d.learn(raw, line)
		}
	}
	return dst, err
}

// learn keeps a line as nearly all servers send it, to know others by it: each has a
// time of its own.
func (d *streamDecoder) learn(raw, line []byte) {
	if len(raw) != len(line)+1 || &raw[0] != &line[0] || raw[len(line)] != '\n' {
		return
	}
	inside := func(kind alike.HoleKind, m jsonscan.Member) alike.Hole {
		return alike.Hole{Kind: kind, Start: m.Value.Start + 1, End: m.Value.End - 1}
	}
	d.lessons++
	holes := [2]alike.Hole{inside(alike.Text, d.text())}
	if d.at[lineCreatedAt].Kind != jsonscan.String {
		d.twin.Learn(raw, holes[:1])
		return
	}
	if holes[1] = inside(alike.Passed, d.at[lineCreatedAt]); holes[1].Start < holes[0].Start {
		holes[0], holes[1] = holes[1], holes[0]
	}
	d.twin.Learn(raw, holes[:])
}

// text is where the text of a line is.
func (d *streamDecoder) text() jsonscan.Member {
	if d.at[lineMessage].Kind == jsonscan.Object {
		return d.inner[0]
	}
	return d.at[lineResponse]
}

func (d *streamDecoder) decodeLine(dst []*conversationv1.Event, line []byte) ([]*conversationv1.Event, error) {
	d.plain = false
	dst, err := d.begin(dst, line)
	if err != nil || d.failed || d.done {
		return dst, err
	}
	content := [3]jsonscan.Member{d.at[lineResponse], d.at[lineThinking], d.at[lineToolCalls]}
	if d.at[lineMessage].Kind == jsonscan.Object {
		if _, err := jsonscan.ScanObject(line, d.at[lineMessage].Value, messageKeys, d.inner[:0]); err != nil {
			return dst, protocol("a message that cannot be read", err)
		}
		content = d.inner
	}
	if thought, err := textOrNone(content[1], line); err != nil {
		return dst, err
	} else if thought != "" {
		dst = append(dst, reasoningEvent(thought))
	}
	text, err := textOrNone(content[0], line)
	if err != nil {
		return dst, err
	}
	if logprobs := decodeLogprobs(d.at[lineLogprobs], line); text != "" || len(logprobs) > 0 {
		dst = append(dst, textEvent(text, logprobs))
	}
	if content[2].Kind == jsonscan.Array {
		if dst, err = d.toolCalls(dst, jsonbody.Whole(line).Child(content[2])); err != nil {
			return dst, err
		}
	}
	if d.at[lineDone].Kind != jsonscan.True {
		d.plain = text != "" && none(content[1]) && none(content[2]) && none(d.at[lineLogprobs])
		return dst, nil
	}
	usage := d.last()
	dst = append(dst, choiceFinishedEvent(d.finishReason()))
	if usage != nil {
		dst = append(dst, usageEvent(usage))
	}
	return dst, nil
}

func none(m jsonscan.Member) bool { return m.Kind == jsonscan.Absent || m.Kind == jsonscan.Null }

func textOrNone(m jsonscan.Member, line []byte) (string, error) {
	if none(m) {
		return "", nil
	}
	text, err := m.Text(line)
	if err != nil {
		return "", protocol("a text that is none", err)
	}
	return text, nil
}

func (d *streamDecoder) finishReason() conversationv1.FinishReason {
	switch reason := d.textOf(lineDoneReason); {
	case reason == "length":
		return conversationv1.FinishReason_FINISH_REASON_LENGTH
	case reason == "load":
		return conversationv1.FinishReason_FINISH_REASON_LOAD
	case reason == "unload":
		return conversationv1.FinishReason_FINISH_REASON_UNLOAD
	case d.calls > 0:
		return conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	case reason == "stop":
		return conversationv1.FinishReason_FINISH_REASON_STOP
	}
	return conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED
}

// toolCalls decodes whole calls. Ollama may number them anew on each line, so
// they are counted here.
func (d *streamDecoder) toolCalls(dst []*conversationv1.Event, list *jsonbody.Value) ([]*conversationv1.Event, error) {
	err := list.Elements(func(_ int, e *jsonbody.Value) error {
		call := &conversationv1.ToolCall{}
		err := e.Members(func(name string, m *jsonbody.Value) (err error) {
			switch {
			case m.IsNull():
			case name == "id":
				call.Id, err = m.String()
			case name == "function":
				err = decodeCalled(m, call)
			}
			return err
		})
		if err != nil {
			return err
		}
		if call.Name == "" {
			return jsonbody.Malformed("tool_calls", "a call without a name")
		}
		if call.ArgumentsJson == "" {
			call.ArgumentsJson = "{}"
		}
		if call.Id == "" {
			call.Id = callID(d.textOf(lineCreatedAt), int(d.calls), call.Name, call.ArgumentsJson)
		}
		dst = append(dst, toolCallEvent(&conversationv1.ToolCallDelta{
			Index: d.calls, Id: call.Id, Name: call.Name, ArgumentsJson: call.ArgumentsJson,
		}))
		d.calls++
		return nil
	})
	if err != nil {
		return dst, protocol("a tool call that cannot be read", err)
	}
	return dst, nil
}

// decodeLogprobs reads the log probabilities of a line; what is none is passed
// over.
func decodeLogprobs(list jsonscan.Member, line []byte) []*conversationv1.TokenLogprob {
	if list.Kind != jsonscan.Array {
		return nil
	}
	var tokens []*conversationv1.TokenLogprob
	_ = jsonbody.Whole(line).Child(list).Elements(func(_ int, e *jsonbody.Value) error {
		token := &conversationv1.TokenLogprob{}
		tokens = append(tokens, token)
		return e.Members(func(name string, m *jsonbody.Value) (err error) {
			switch name {
			case "token":
				token.Token, err = m.String()
			case "logprob":
				token.Logprob, err = m.Number()
			case "bytes":
				if m.Kind == jsonscan.Array {
					err = m.Elements(func(_ int, b *jsonbody.Value) error {
						n, err := b.Integer()
						token.Bytes = append(token.Bytes, byte(n))
						return err
					})
				}
			case "top_logprobs":
				token.Top = decodeLogprobs(m.Member, line)
			}
			return err
		})
	})
	return tokens
}

// DecodeAnswer implements wire.Codec. A body that does not say done is
// truncated.
func (c codec) DecodeAnswer(body []byte) ([]*conversationv1.Event, error) {
	d := &streamDecoder{lines: lines{codec: c}}
	line := jsonbody.Whole(body)
	events, err := d.decodeLine(nil, line.Body())
	if err != nil {
		return nil, err
	}
	if !d.done && !d.failed {
		return nil, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
			"the provider's answer is not whole")
	}
	return d.End(events)
}

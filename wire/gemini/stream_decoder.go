package gemini

import (
	"bytes"
	"encoding/json"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/events"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// Positions in the result of a scan for partKeys.
const (
	atText = iota
	atThought
	atSignature
	atCall
	partKeyCount
)

var (
	contentKeys = jsonscan.NewKeys("parts")
	partKeys    = jsonscan.NewKeys("text", "thought", "thoughtSignature", "functionCall")
	callKeys    = jsonscan.NewKeys("id", "name", "args")
)

// streamDecoder decodes the chunks of one answer.
type streamDecoder struct {
	progress
	part [partKeyCount]jsonscan.Member
	call [3]jsonscan.Member
	run  run
}

// decoders are those of streams that may be used again.
var decoders = sync.Pool{New: func() any { return new(streamDecoder) }}

// NewStreamDecoder implements wire.Codec.
func (codec) NewStreamDecoder() wire.StreamDecoder { return decoders.Get().(*streamDecoder) }

// Release gives the decoder's memory to others: it must not be used any more.
func (d *streamDecoder) Release() {
	d.run.forget()
	*d = streamDecoder{run: d.run}
	decoders.Put(d)
}

// LendEvents implements wire.Lender.
func (d *streamDecoder) LendEvents() { d.run.like.Lend() }

// Decode implements wire.StreamDecoder. Nothing is read behind an error.
func (d *streamDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	var err error
	d.run.like.Back()
	for !d.failed && err == nil {
		dst, data = d.run.decode(dst, data, &d.progress)
		if len(data) == 0 {
			break
		}
		var event wire.ServerEvent
		if event, data = wire.NextServerEvent(data); len(event.Data) > 0 {
			d.run.begin()
			if dst, err = d.chunk(dst, event.Data, d.candidate); err == nil && !d.failed {
				d.run.learn(event, &d.progress)
			}
		}
	}
	return d.giveUsage(dst), err
}

// End implements wire.StreamDecoder.
func (d *streamDecoder) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return d.end(dst, true)
}

func (d *streamDecoder) candidate(dst []*conversationv1.Event, data []byte, index int32, at []jsonscan.Member) ([]*conversationv1.Event, error) {
	logprobs := readLogprobs(data, at[atLogprobs])
	d.run.candidate(index, logprobs != nil)
	if at[atContent].Kind == jsonscan.Object {
		var room [1]jsonscan.Member
		found, err := jsonscan.ScanObject(data, at[atContent].Value, contentKeys, room[:0])
		if err != nil {
			return dst, jsonbody.Protocol("content that cannot be read", err)
		}
		if found[0].Kind == jsonscan.Array {
			var failed error
			err = jsonscan.ForEachElement(data, found[0].Value, func(m jsonscan.Member) bool {
				before := len(dst)
				if dst, failed = d.readPart(dst, data, index, m); failed == nil && logprobs != nil {
					for _, event := range dst[before:] {
						if event.GetText() != nil {
							event.GetText().Logprobs, logprobs = logprobs, nil
						}
					}
				}
				return failed == nil
			})
			if failed != nil {
				return dst, failed
			}
			if err != nil {
				return dst, jsonbody.Protocol("parts that cannot be read", err)
			}
		}
	}
	if logprobs != nil {
		event := events.Text(index, "")
		event.GetText().Logprobs = logprobs
		dst = append(dst, event)
	}
	return dst, nil
}

// readPart reads one part: its signature first, as a block of its own.
func (d *streamDecoder) readPart(dst []*conversationv1.Event, data []byte, index int32, m jsonscan.Member) ([]*conversationv1.Event, error) {
	if m.Kind != jsonscan.Object {
		return dst, jsonbody.Protocol("a part that is not an object", nil)
	}
	at, err := jsonscan.ScanObject(data, m.Value, partKeys, d.part[:0])
	if err != nil {
		return dst, jsonbody.Protocol("a part that cannot be read", err)
	}
	signature := signer.Gemini.Read(jsonbody.Text(at[atSignature], data))
	thought := at[atThought].Kind == jsonscan.True
	d.run.part(at[atText], signature != "" || thought || at[atCall].Kind == jsonscan.Object)
	if signature != "" && !thought {
		dst = append(dst, events.Signature(index, signature))
	}
	if at[atText].Kind == jsonscan.String {
		text, err := at[atText].Text(data)
		switch {
		case err != nil:
			return dst, jsonbody.Protocol("a text that cannot be read", err)
		case text == "":
		case thought:
			dst = append(dst, events.Reasoning(index, text))
		default:
			dst = append(dst, events.Text(index, text))
		}
	}
	if signature != "" && thought {
		dst = append(dst, events.Signature(index, signature))
	}
	if at[atCall].Kind != jsonscan.Object {
		return dst, nil
	}
	return d.functionCall(dst, data, index)
}

// compact takes the space out of arguments, so that they can stand in one line.
func compact(arguments []byte) string {
	var out bytes.Buffer
	if json.Compact(&out, arguments) != nil {
		return string(arguments)
	}
	return out.String()
}

// functionCall reads a call, which always comes whole.
func (d *streamDecoder) functionCall(dst []*conversationv1.Event, data []byte, index int32) ([]*conversationv1.Event, error) {
	at, err := jsonscan.ScanObject(data, d.part[atCall].Value, callKeys, d.call[:0])
	if err != nil {
		return dst, jsonbody.Protocol("a function call that cannot be read", err)
	}
	delta := &conversationv1.ToolCallDelta{
		Choice: index, Id: jsonbody.Text(at[0], data), Name: jsonbody.Text(at[1], data), ArgumentsJson: "{}",
	}
	if delta.Name == "" {
		return dst, jsonbody.Protocol("a function call without a name", nil)
	}
	if at[2].Kind == jsonscan.Object {
		delta.ArgumentsJson = compact(at[2].Raw(data))
	}
	state := &d.choices[index]
	delta.Index = state.calls
	if delta.Id == "" {
		delta.Id = callID(d.id, index, int(delta.Index), delta.Name, delta.ArgumentsJson)
	}
	state.calls++
	return append(dst, events.ToolCall(delta)), nil
}

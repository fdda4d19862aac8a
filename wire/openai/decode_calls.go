package openai

import (
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
	"github.com/gptmesh/gptmesh/wire/internal/toolcalls"
)

// Bounds of what one choice may hold back.
const (
	maxCalls     = 1024
	maxHeldBytes = 1 << 20
)

// callDecoder makes tool-call deltas of what providers stream, for one choice.
//
// OpenAI counts calls by index and names a call in its first fragment only.
// Others leave out the index or the id, repeat id or name with every fragment,
// change the id from fragment to fragment, give all parallel calls index 0,
// begin to count at 1, or send whole calls at once.
type callDecoder struct {
	choice int32
	seed   *seed
	calls  []*openCall
	begun  int32 // calls given out
}

// seed is what the invented ids of an answer's calls follow from.
type seed struct {
	id, model string
	created   int64 // in seconds; 0 where the provider does not tell
}

func (s *seed) of(choice int32) string {
	created := ""
	if s.created != 0 {
		created = strconv.FormatInt(s.created, 10)
	}
	return s.id + "\x00" + created + "\x00" + s.model + "\x00" + strconv.Itoa(int(choice))
}

// openCall is one call as the provider streams it.
type openCall struct {
	key      int64 // the provider's index
	id, name string
	index    int32 // ours, once begun
	begun    bool
	custom   bool   // of a custom tool, whose text becomes arguments
	held     []byte // arguments that came before the name
	shape    jsonbody.Shape
	halves   jsonbody.Halves
}

// The keys of calls that come without an index.
const (
	noKey     = -1
	legacyKey = -2
)

const (
	atCallIndex = iota
	atCallID
	atFunction
	atCustom
	callMembers
)

var callKeys = jsonscan.NewKeys("index", "id", "function", "custom")

var calledKeys = jsonscan.NewKeys("name", "arguments", "input")

// fragment is one entry of tool_calls.
type fragment struct {
	key       int64
	id, name  string
	custom    bool // of a custom tool
	arguments jsonscan.Member
}

func (d *callDecoder) decode(dst []*conversationv1.Event, body []byte, at jsonscan.Member) ([]*conversationv1.Event, error) {
	var failed error
	err := jsonscan.ForEachElement(body, at.Value, func(m jsonscan.Member) bool {
		var f fragment
		if failed = f.read(body, m); failed == nil {
			dst, failed = d.add(dst, body, f)
		}
		return failed == nil
	})
	if failed == nil && err != nil {
		failed = protocol("tool_calls cannot be read", err)
	}
	return dst, failed
}

// legacy decodes a function_call.
func (d *callDecoder) legacy(dst []*conversationv1.Event, body []byte, at jsonscan.Member) ([]*conversationv1.Event, error) {
	f := fragment{key: legacyKey}
	if err := f.called(body, at); err != nil {
		return dst, err
	}
	return d.add(dst, body, f)
}

func (f *fragment) read(body []byte, m jsonscan.Member) error {
	var found [callMembers]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, m.Value, callKeys, found[:]); err != nil {
		return protocol("a tool call is not an object", err)
	}
	f.key = noKey
	if n, err := found[atCallIndex].Int64(body); err == nil && n >= 0 {
		f.key = n
	}
	if found[atCallID].Kind == jsonscan.String {
		id, err := found[atCallID].Text(body)
		if err != nil {
			return protocol("a tool call's id cannot be read", err)
		}
		f.id = id
	}
	called := found[atFunction]
	if called.Kind != jsonscan.Object {
		called, f.custom = found[atCustom], true
	}
	if called.Kind != jsonscan.Object {
		return nil
	}
	return f.called(body, called)
}

func (f *fragment) called(body []byte, at jsonscan.Member) error {
	var found [3]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, at.Value, calledKeys, found[:]); err != nil {
		return protocol("a tool call cannot be read", err)
	}
	if found[0].Kind == jsonscan.String {
		name, err := found[0].Text(body)
		if err != nil {
			return protocol("a tool call's name cannot be read", err)
		}
		f.name = name
	}
	f.arguments = found[1]
	if found[1].Kind == jsonscan.Absent {
		f.arguments = found[2]
	}
	return nil
}

// startsObject says whether the fragment's arguments begin a JSON object.
func (f *fragment) startsObject(body []byte) bool {
	switch f.arguments.Kind {
	case jsonscan.Object:
		return true
	case jsonscan.String:
		raw := f.arguments.Raw(body)
		return len(raw) > 2 && raw[1] == '{'
	}
	return false
}

func (f *fragment) empty() bool {
	return f.id == "" && f.name == "" && f.arguments.Value.End-f.arguments.Value.Start <= len(`""`)
}

func (d *callDecoder) add(dst []*conversationv1.Event, body []byte, f fragment) ([]*conversationv1.Event, error) {
	call := d.find(body, f)
	if call == nil {
		if f.empty() {
			return dst, nil
		}
		if len(d.calls) == maxCalls {
			return dst, protocol("too many tool calls", nil)
		}
		call = &openCall{key: f.key, custom: f.custom}
		d.calls = append(d.calls, call)
	}
	if call.id == "" {
		call.id = f.id
	}
	if call.name == "" {
		call.name = f.name
	}
	text, err := call.text(body, f.arguments)
	if err != nil {
		return dst, err
	}
	if call.custom {
		text = texttool.Escape(text)
	} else {
		call.shape.Follow(text)
	}
	if call.begun {
		return d.more(dst, call, text), nil
	}
	if call.name == "" {
		if len(call.held)+len(text) > maxHeldBytes {
			return dst, protocol("a tool call has no name", nil)
		}
		call.held = append(call.held, text...)
		return dst, nil
	}
	text = string(call.held) + text
	if call.custom {
		text = texttool.Opening + text
	}
	return d.begin(dst, call, text), nil
}

// find returns the call that a fragment goes on with, or nil where it begins
// one.
func (d *callDecoder) find(body []byte, f fragment) *openCall {
	if f.key == noKey {
		return d.findWithoutIndex(body, f)
	}
	for i := len(d.calls) - 1; i >= 0; i-- {
		if call := d.calls[i]; call.key == f.key {
			if call.otherThan(body, f) {
				return nil
			}
			return call
		}
	}
	return nil
}

func (d *callDecoder) findWithoutIndex(body []byte, f fragment) *openCall {
	if f.id != "" {
		for _, call := range d.calls {
			if call.id == f.id {
				return call
			}
		}
	}
	if len(d.calls) == 0 {
		return nil
	}
	last := d.calls[len(d.calls)-1]
	switch {
	case f.name == "" && (f.id == "" || last.name != "" && !f.startsObject(body)):
		return last
	case f.id != "" && last.id != "", f.name != "" && (f.name != last.name || last.otherThan(body, f)):
		return nil
	}
	return last
}

// otherThan says whether a fragment with the call's index is a call of its own
// all the same: it names another tool, or another id with a name, or begins
// arguments anew where those of the call are whole.
func (c *openCall) otherThan(body []byte, f fragment) bool {
	if f.name == "" || c.name == "" {
		return false
	}
	anew := c.shape.Whole() && f.startsObject(body)
	switch {
	case f.name != c.name:
		return true
	case f.id != "" && c.id != "" && f.id != c.id:
		return anew || !c.shape.Begun()
	default:
		return anew && (f.id == "" || f.id != c.id)
	}
}

// text is the fragment's share of the arguments. Some servers send an object.
func (c *openCall) text(body []byte, m jsonscan.Member) (string, error) {
	switch m.Kind {
	case jsonscan.Absent, jsonscan.Null:
		return "", nil
	case jsonscan.String:
		return c.halves.Text(body, m)
	case jsonscan.Object:
		return string(m.Raw(body)), nil
	}
	return "", protocol("a tool call's arguments are not a string", nil)
}

func (d *callDecoder) begin(dst []*conversationv1.Event, call *openCall, arguments string) []*conversationv1.Event {
	call.begun, call.index, call.held = true, d.begun, nil
	d.begun++
	id := call.id
	if id == "" {
		id = toolcalls.InventID(d.seed.of(d.choice), strconv.Itoa(int(call.index)), call.name)
	}
	return append(dst, &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{
		Choice: d.choice, Index: call.index, Id: id, Name: call.name, ArgumentsJson: arguments,
	}}})
}

func (d *callDecoder) more(dst []*conversationv1.Event, call *openCall, arguments string) []*conversationv1.Event {
	if arguments == "" {
		return dst
	}
	return append(dst, &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{
		Choice: d.choice, Index: call.index, ArgumentsJson: arguments,
	}}})
}

// end appends what was held back. A call without a name cannot be made.
func (d *callDecoder) end(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	for _, call := range d.calls {
		if !call.begun {
			return dst, protocol("a tool call has no name", nil)
		}
		rest := call.halves.End()
		if call.custom {
			rest = texttool.Escape(rest) + texttool.Closing
		}
		dst = d.more(dst, call, rest)
	}
	return dst, nil
}

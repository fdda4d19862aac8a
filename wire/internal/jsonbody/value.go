package jsonbody

import (
	"math"
	"strconv"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// Value is one JSON value of a body that has been scanned, and the way to it.
type Value struct {
	jsonscan.Member
	body      []byte
	parent    *Value
	index     int  // position in an array; not read where Key is set
	bracketed bool // how paths are written; of the whole alone
	kept      bool // texts may lie in body
}

// Whole is the value that a body, one JSON object, is as a whole.
func Whole(body []byte) *Value {
	return &Value{body: body, Member: jsonscan.Member{Kind: jsonscan.Object, Value: jsonscan.Span{End: len(body)}}}
}

// Bracketed is Whole for dialects that write paths as OpenAI does:
// "messages[0].content".
func Bracketed(body []byte) *Value {
	v := Whole(body)
	v.bracketed = true
	return v
}

// Kept is the value in a body that nobody changes while its texts are used: long ones lie
// in it.
func (v *Value) Kept() *Value {
	v.kept = true
	return v
}

// At is the member of a whole that a scan found, without a way to it but its own
// name.
func (v *Value) At(m jsonscan.Member) *Value {
	return &Value{Member: m, body: v.body, bracketed: v.bracketed}
}

// Child is a member of v that a scan found.
func (v *Value) Child(m jsonscan.Member) *Value {
	return &Value{Member: m, body: v.body, parent: v, kept: v.kept}
}

// Body is the body that the value stands in.
func (v *Value) Body() []byte { return v.body }

// Path is how the dialect's own words lead to the value: "contents.0.parts", or
// "contents[0].parts" below [Bracketed].
func (v *Value) Path() string {
	path, _ := v.path()
	return path
}

func (v *Value) path() (path string, bracketed bool) {
	if v.parent == nil {
		return v.Name(), v.bracketed
	}
	path, bracketed = v.parent.path()
	switch {
	case v.Key.End > v.Key.Start && path == "":
		return v.Name(), bracketed
	case v.Key.End > v.Key.Start:
		return path + "." + v.Name(), bracketed
	case bracketed:
		return path + "[" + strconv.Itoa(v.index) + "]", bracketed
	case path == "":
		return strconv.Itoa(v.index), bracketed
	}
	return path + "." + strconv.Itoa(v.index), bracketed
}

// Name is the member's key.
func (v *Value) Name() string { return string(v.AppendName(nil, v.body)) }

// known is Name, without memory of its own where the key is one of those that turns have.
func (v *Value) known() string {
	if v.Key.End-v.Key.Start >= 2 {
		if name, ok := names[string(v.body[v.Key.Start+1:v.Key.End-1])]; ok {
			return name
		}
	}
	return v.Name()
}

// names are keys that most turns have.
var names = func() map[string]string {
	known := make(map[string]string)
	for _, name := range [...]string{
		"model", "stream", "messages", "role", "content", "type", "text", "name", "id", "input", "tools", "tool_choice", "max_tokens", "metadata", "user_id",
		"system", "temperature", "top_p", "top_k", "stop", "stop_sequences", "thinking", "signature", "data", "cache_control", "ttl", "source", "media_type",
		"tool_use_id", "is_error", "input_schema", "description", "budget_tokens", "function", "arguments", "parameters", "strict", "tool_calls", "tool_call_id",
		"index", "image_url", "url", "detail", "max_completion_tokens", "user", "n", "seed", "response_format", "stream_options", "include_usage", "reasoning_effort",
		"parallel_tool_calls", "options", "format", "keep_alive", "think", "images", "contents", "parts", "functionCall", "args", "generationConfig", "properties",
		"required", "schema", "refusal", "logprobs", "call_id", "output", "instructions", "reasoning", "effort", "summary", "store",
	} {
		known[name] = name
	}
	return known
}()

// Malformed is the fault of a value of the wrong kind.
func (v *Value) Malformed(want string) *fault.Fault {
	return Malformed(v.Path(), "want "+want+", have "+v.Kind.String())
}

// IsNull tells whether the value says no more than its absence would.
func (v *Value) IsNull() bool { return v.Kind == jsonscan.Null || v.Kind == jsonscan.Absent }

// Members calls fn with each member of an object, nulls included.
func (v *Value) Members(fn func(name string, m *Value) error) error {
	if v.Kind != jsonscan.Object {
		return v.Malformed("an object")
	}
	var failed error
	var room values
	err := jsonscan.ForEachMember(v.body, v.Member.Value, func(m jsonscan.Member) bool {
		child := room.next()
		child.Member, child.body, child.parent, child.kept = m, v.body, v, v.kept
		failed = fn(child.known(), child)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return ScanFault(err)
}

// Elements calls fn with each element of an array.
func (v *Value) Elements(fn func(i int, e *Value) error) error {
	if v.Kind != jsonscan.Array {
		return v.Malformed("an array")
	}
	var failed error
	var room values
	i := 0
	err := jsonscan.ForEachElement(v.body, v.Member.Value, func(m jsonscan.Member) bool {
		child := room.next()
		child.Member, child.body, child.parent, child.index, child.kept = m, v.body, v, i, v.kept
		failed = fn(i, child)
		i++
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return ScanFault(err)
}

// values makes values of one parent some at a time.
type values struct{ room []Value }

// mostValues is how many are made at once, at the most.
const mostValues = 16

func (r *values) next() *Value {
	if len(r.room) == cap(r.room) {
		r.room = make([]Value, 0, min(max(2, 2*cap(r.room)), mostValues))
	}
	r.room = r.room[:len(r.room)+1]
	return &r.room[len(r.room)-1]
}

// JSON is the value's text as it stands.
func (v *Value) JSON() string { return string(v.Raw(v.body)) }

// String reads a string.
func (v *Value) String() (string, error) {
	if v.Kind != jsonscan.String {
		return "", v.Malformed("a string")
	}
	if v.kept {
		return v.TextIn(v.body)
	}
	return v.Text(v.body)
}

// StringOrNull reads a string; null is "".
func (v *Value) StringOrNull() (string, error) {
	if v.IsNull() {
		return "", nil
	}
	return v.String()
}

// Truth reads a boolean.
func (v *Value) Truth() (bool, error) {
	if v.Kind != jsonscan.True && v.Kind != jsonscan.False {
		return false, v.Malformed("a boolean")
	}
	return v.Kind == jsonscan.True, nil
}

// Number reads a number.
func (v *Value) Number() (float64, error) {
	if v.Kind != jsonscan.Number {
		return 0, v.Malformed("a number")
	}
	f, err := v.Float64(v.body)
	if err != nil {
		return 0, Malformed(v.Path(), "the number is too large")
	}
	return f, nil
}

// Integer reads a whole number, also one that is written with a fraction of 0:
// clients without integers send 128.0.
func (v *Value) Integer() (int64, error) {
	if v.Kind != jsonscan.Number {
		return 0, v.Malformed("a whole number")
	}
	if n, err := v.Int64(v.body); err == nil {
		return n, nil
	}
	f, err := v.Float64(v.body)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, Malformed(v.Path(), "want a whole number")
	}
	return int64(f), nil
}

// Within reads a whole number of a range.
func (v *Value) Within(least, most int64) (int64, error) {
	n, err := v.Integer()
	if err == nil && (n < least || n > most) {
		err = Malformed(v.Path(), "must be from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
	}
	return n, err
}

// Text is the string of a member of a provider's answer; empty where it is none.
func Text(m jsonscan.Member, data []byte) string {
	if m.Kind != jsonscan.String {
		return ""
	}
	text, _ := m.Text(data)
	return text
}

// IsObject tells whether text is one JSON object.
func IsObject(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			_, err := jsonscan.Scan([]byte(text), noKeys, nil)
			return err == nil
		}
		return false
	}
	return false
}

var noKeys = jsonscan.NewKeys()

package responses

import (
	"math"
	"strconv"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// value is one JSON value of a client's body, and the way to it.
type value struct {
	jsonscan.Member
	body   []byte
	parent *value
	index  int // position in an array; not read where Key is set
}

// root is the whole of a body.
func root(body []byte) *value {
	return &value{body: body, Member: jsonscan.Member{Kind: jsonscan.Object, Value: jsonscan.Span{End: len(body)}}}
}

// path is how people name the value: "messages[0].content".
func (v *value) path() string {
	if v.parent == nil {
		return string(v.AppendName(nil, v.body))
	}
	above := v.parent.path()
	if v.Key.End == v.Key.Start {
		return above + "[" + strconv.Itoa(v.index) + "]"
	}
	name := string(v.AppendName(nil, v.body))
	if above == "" {
		return name
	}
	return above + "." + name
}

func (v *value) null() bool { return v.Kind == jsonscan.Null || v.Kind == jsonscan.Absent }

func (v *value) json() string { return string(v.Raw(v.body)) }

func (v *value) mismatch(want string) *fault.Fault {
	return malformed(v.path(), "want "+want+", have "+v.Kind.String())
}

// members calls fn with each member of an object; an error of fn ends it.
func (v *value) members(fn func(name string, m *value) error) error {
	if v.Kind != jsonscan.Object {
		return v.mismatch("an object")
	}
	var failed error
	err := jsonscan.ForEachMember(v.body, v.Value, func(m jsonscan.Member) bool {
		failed = fn(string(m.AppendName(nil, v.body)), &value{Member: m, body: v.body, parent: v})
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return scanFault(err)
	}
	return nil
}

// elements calls fn with each element of an array; an error of fn ends it.
func (v *value) elements(fn func(i int, e *value) error) error {
	if v.Kind != jsonscan.Array {
		return v.mismatch("an array")
	}
	var failed error
	i := 0
	err := jsonscan.ForEachElement(v.body, v.Value, func(m jsonscan.Member) bool {
		failed = fn(i, &value{Member: m, body: v.body, parent: v, index: i})
		i++
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return scanFault(err)
	}
	return nil
}

func (v *value) text() (string, error) {
	if v.Kind != jsonscan.String {
		return "", v.mismatch("a string")
	}
	return v.Text(v.body)
}

// textOrNull reads a string; null is "".
func (v *value) textOrNull() (string, error) {
	if v.null() {
		return "", nil
	}
	return v.text()
}

func (v *value) truth() (bool, error) {
	if v.Kind != jsonscan.True && v.Kind != jsonscan.False {
		return false, v.mismatch("a boolean")
	}
	return v.Kind == jsonscan.True, nil
}

func (v *value) number() (float64, error) {
	if v.Kind != jsonscan.Number {
		return 0, v.mismatch("a number")
	}
	f, err := v.Float64(v.body)
	if err != nil {
		return 0, malformed(v.path(), "the number is too large")
	}
	return f, nil
}

// integer reads a whole number, also one written with a fraction of 0: clients
// without whole numbers send 128.0.
func (v *value) integer() (int64, error) {
	if v.Kind != jsonscan.Number {
		return 0, v.mismatch("a whole number")
	}
	if n, err := v.Int64(v.body); err == nil {
		return n, nil
	}
	f, err := v.Float64(v.body)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, malformed(v.path(), "want a whole number")
	}
	return int64(f), nil
}

// rest gathers members that no field holds, in their order.
type rest struct{ json []byte }

func (x *rest) add(m *value) {
	x.open()
	x.json = append(x.json, m.Key.Of(m.body)...)
	x.json = append(x.json, ':')
	x.json = append(x.json, m.Raw(m.body)...)
}

func (x *rest) open() {
	if len(x.json) == 0 {
		x.json = append(x.json, '{')
		return
	}
	x.json = append(x.json, ',')
}

// object is the JSON object of what was added, "" when nothing was.
func (x *rest) object() string {
	if len(x.json) == 0 {
		return ""
	}
	return string(x.json) + "}"
}

package anthropic

import (
	"errors"
	"strconv"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/grpc/codes"
)

// value is one JSON value of a body that has been scanned, and the way to it.
type value struct {
	jsonscan.Member
	body   []byte
	parent *value
	index  int // position in an array; not read where Key is set
}

// whole is the value that body as a whole is.
func whole(body []byte) *value {
	return &value{body: body, Member: jsonscan.Member{Kind: jsonscan.Object, Value: jsonscan.Span{End: len(body)}}}
}

// path is how the body's own words lead to the value: "messages.0.content".
func (v *value) path() string {
	if v.parent == nil {
		return ""
	}
	name := strconv.Itoa(v.index)
	if v.Key.End > v.Key.Start {
		name = string(v.AppendName(nil, v.body))
	}
	if above := v.parent.path(); above != "" {
		return above + "." + name
	}
	return name
}

func (v *value) malformed(want string) error {
	return malformed(v.path(), "want "+want+", have "+v.Kind.String())
}

// isNull tells whether the value says no more than its absence would.
func (v *value) isNull() bool { return v.Kind == jsonscan.Null || v.Kind == jsonscan.Absent }

// members calls fn with each member of an object, nulls included.
func (v *value) members(fn func(name string, m *value) error) error {
	if v.Kind != jsonscan.Object {
		return v.malformed("an object")
	}
	var failed error
	err := jsonscan.ForEachMember(v.body, v.Value, func(m jsonscan.Member) bool {
		child := &value{Member: m, body: v.body, parent: v}
		failed = fn(string(m.AppendName(nil, v.body)), child)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return scanFault(err)
}

// elements calls fn with each element of an array.
func (v *value) elements(fn func(i int, e *value) error) error {
	if v.Kind != jsonscan.Array {
		return v.malformed("an array")
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
	return scanFault(err)
}

func (v *value) raw() string { return string(v.Raw(v.body)) }

func (v *value) text() (string, error) {
	if v.Kind != jsonscan.String {
		return "", v.malformed("a string")
	}
	return v.Text(v.body)
}

func (v *value) truth() (bool, error) {
	if v.Kind != jsonscan.True && v.Kind != jsonscan.False {
		return false, v.malformed("a boolean")
	}
	return v.Kind == jsonscan.True, nil
}

func (v *value) number() (float64, error) {
	if v.Kind != jsonscan.Number {
		return 0, v.malformed("a number")
	}
	f, err := v.Float64(v.body)
	if err != nil {
		return 0, malformed(v.path(), "the number is too large")
	}
	return f, nil
}

func (v *value) integer() (int64, error) {
	if v.Kind != jsonscan.Number {
		return 0, v.malformed("a whole number")
	}
	n, err := v.Int64(v.body)
	if err != nil {
		return 0, malformed(v.path(), "want a whole number of 64 bits")
	}
	return n, nil
}

func malformed(field, description string) *fault.Fault {
	f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, field+": "+description, "field", field)
	f.Fields = []fault.FieldViolation{{Field: field, Description: description}}
	return f
}

// scanFault is the fault for what jsonscan found wrong with a client's body.
func scanFault(err error) error {
	if err == nil {
		return nil
	}
	var bad *jsonscan.Error
	if !errors.As(err, &bad) {
		return fault.Internal(err)
	}
	field := bad.Key
	if field == "" {
		field = "body"
	}
	if errors.Is(err, jsonscan.ErrDuplicate) {
		return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD, field+": stands more than once", "field", field)
	}
	return malformed(field, bad.Error())
}

// extra gathers members that no field holds, in their order.
type extra struct{ json []byte }

func (x *extra) add(m *value) {
	x.open()
	x.json = append(x.json, m.Key.Of(m.body)...)
	x.json = append(x.json, ':')
	x.json = append(x.json, m.Raw(m.body)...)
}

func (x *extra) addJSON(name, json string) {
	x.open()
	x.json = append(jsonscan.AppendString(x.json, name), ':')
	x.json = append(x.json, json...)
}

func (x *extra) open() {
	if len(x.json) == 0 {
		x.json = append(x.json, '{')
		return
	}
	x.json = append(x.json, ',')
}

// object is the JSON object of what was added, or "".
func (x *extra) object() string {
	if len(x.json) == 0 {
		return ""
	}
	return string(x.json) + "}"
}

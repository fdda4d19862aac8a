package jsonschema

import (
	"fmt"
	"testing"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	person := `{"type":"object","properties":{"name":{"type":"string","minLength":1},"age":{"type":"integer","minimum":0}},"required":["name"],"additionalProperties":false}`
	tree := `{"$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]},"v":{"type":"number"}},"required":["v"]}},"$ref":"#/$defs/node"}`
	for _, c := range []struct{ schema, value, want string }{
		{`true`, `{"a":1}`, ""},
		{`false`, `1`, "$: want nothing here"},
		{`{}`, `null`, ""},
		{person, `{"name":"Ann","age":3}`, ""},
		{person, `{"name":"Ann","age":3.0}`, ""},
		{person, `{"age":3}`, "$.name: is required"},
		{person, `{"name":"Ann","age":3.5}`, "$.age: want integer"},
		{person, `{"name":"","age":3}`, "$.name: want at least 1 characters"},
		{person, `{"name":"Ann","age":-1}`, "$.age: want at least 0"},
		{person, `{"name":"Ann","x":1}`, "$.x: is not allowed"},
		{person, `[]`, "$: want object"},
		{`{"type":["string","null"]}`, `null`, ""},
		{`{"type":["string","null"]}`, `1`, "$: want string or null"},
		{`{"type":"array","items":{"type":"number"}}`, `[1,2,"x"]`, "$[2]: want number"},
		{`{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}`, `["a",1,2]`, ""},
		{`{"items":[{"type":"string"}]}`, `[1]`, "$[0]: want string"},
		{`{"minItems":2}`, `[1]`, "$: want at least 2 items"},
		{`{"uniqueItems":true}`, `[1,2,1.0]`, "$[2]: stands twice"},
		{`{"enum":["a",1]}`, `1.0`, ""},
		{`{"enum":["a",1]}`, `"b"`, `$: want one of ["a",1]`},
		{`{"const":{"a":[1,2]}}`, `{"a":[1,2]}`, ""},
		{`{"const":3}`, `4`, "$: want 3"},
		{`{"maximum":10,"exclusiveMinimum":1}`, `1`, "$: want more than 1"},
		{`{"exclusiveMaximum":10}`, `10`, "$: want less than 10"},
		{`{"multipleOf":0.1}`, `0.3`, ""},
		{`{"multipleOf":0.1}`, `0.35`, "$: want a multiple of 0.1"},
		{`{"pattern":"^a+$"}`, `"aaa"`, ""},
		{`{"pattern":"^a+$"}`, `"ab"`, "$: does not match ^a+$"},
		{`{"maxLength":2}`, `"äöü"`, "$: want at most 2 characters"},
		{`{"maxLength":3}`, `"äöü"`, ""},
		{`{"allOf":[{"type":"string"},{"minLength":2}]}`, `"a"`, "$: want at least 2 characters"},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `1`, "$: fits none of anyOf"},
		{`{"oneOf":[{"type":"number"},{"minimum":2}]}`, `3`, "$: fits 2 of oneOf, want one"},
		{`{"not":{"type":"null"}}`, `null`, "$: fits what it must not"},
		{tree, `{"v":1,"next":{"v":2,"next":null}}`, ""},
		{tree, `{"v":1,"next":{"v":"x","next":null}}`, "$.next.v: want number"},
		{`{"$ref":"#"}`, `1`, "$: nested too deep to check"},
		{`{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}`, `1`, "$: fits none of anyOf"},
		{`{"format":"email","x-other":1}`, `"whatever"`, ""},
		{`{"type":"object","additionalProperties":{"type":"integer"}}`, `{"a":"b"}`, "$.a: want integer"},
		{`{"minimum":1}`, `1e999999999`, "$: a number too large to check"},
	} {
		t.Run(c.schema+c.value, func(t *testing.T) {
			t.Parallel()
			schema, err := Compile(c.schema)
			if err != nil {
				t.Fatal(err)
			}
			value, err := Parse([]byte(c.value))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := schema.Validate(value); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{`:                    "not JSON: unexpected EOF",
		`{} {}`:                "not JSON: more than one value",
		`3`:                    "#: a schema is an object, true or false",
		`{"items":3}`:          "#/items: a schema is an object, true or false",
		`{"pattern":"(?=a)"}`:  "#/pattern: not a pattern of RE2",
		`{"$ref":"#/$defs/x"}`: `#/$ref: "#/$defs/x" leads nowhere`,
		`{"$ref":"http://x"}`:  `#/$ref: "http://x": only references within the schema are followed`,
	} {
		if _, err := Compile(schema); err == nil || err.Error() != want {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"a":{"a":{}}}`)
	f.Add(`{"multipleOf":1e-300}`, `1e300`)
	f.Add(`{"items":[{"type":"string"}]}`, `[1]`)
	f.Fuzz(func(t *testing.T, schema, value string) {
		s, err := Compile(schema)
		if err != nil {
			return
		}
		v, err := Parse([]byte(value))
		if err != nil {
			return
		}
		if first, second := s.Validate(v), s.Validate(v); fmt.Sprint(first) != fmt.Sprint(second) {
			t.Fatalf("%v, then %v", first, second)
		}
	})
}

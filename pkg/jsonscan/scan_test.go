package jsonscan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

const request = ` {
  "model" : "gpt-x", "stream":true, "max_tokens": 128,
  "messages": [ {"role":"user","content":"a \"quoted\" {brace} \u00e9 é 日本"} ],
  "temperature": -1.5e-3, "nothing": null, "stream_options": {"include_usage": true}, "no": false
} `

func TestScanFindsMembers(t *testing.T) {
	t.Parallel()
	names := []string{"stream_options", "model", "absent", "stream", "max_tokens", "messages", "temperature", "nothing", "no"}
	kinds := []jsonscan.Kind{jsonscan.Object, jsonscan.String, jsonscan.Absent, jsonscan.True, jsonscan.Number,
		jsonscan.Array, jsonscan.Number, jsonscan.Null, jsonscan.False}
	body := []byte(request)
	got, err := jsonscan.Scan(body, jsonscan.NewKeys(names...), nil)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	for i, m := range got {
		if m.Kind != kinds[i] {
			t.Errorf("%s: kind %v, want %v", names[i], m.Kind, kinds[i])
		}
		if diff := cmp.Diff(string(want[names[i]]), string(m.Raw(body))); diff != "" {
			t.Errorf("%s: %s", names[i], diff)
		}
		if m.Present() && string(m.Key.Of(body)) != `"`+names[i]+`"` {
			t.Errorf("%s: key span %q", names[i], m.Key.Of(body))
		}
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		cause      error
		offset     int
		text       string
	}{
		{"empty", ``, jsonscan.ErrSyntax, 0, "unexpected end"},
		{"space only", `  `, jsonscan.ErrSyntax, 2, "unexpected end"},
		{"array", `[1]`, jsonscan.ErrNotObject, 0, "want an object"},
		{"byte order mark", "\ufeff{}", jsonscan.ErrNotObject, 0, "want an object"},
		{"garbage behind", `{} x`, jsonscan.ErrSyntax, 3, "unexpected text behind"},
		{"second document", `{}{}`, jsonscan.ErrSyntax, 2, "unexpected text behind"},
		{"cut", `{"a":1`, jsonscan.ErrSyntax, 6, "unexpected end, want ',' or '}'"},
		{"cut string", `{"a":"x`, jsonscan.ErrSyntax, 7, "unexpected end in a string"},
		{"cut escape", `{"a":"x\`, jsonscan.ErrSyntax, 8, "unexpected end in a string"},
		{"cut unicode escape", `{"a":"\u12`, jsonscan.ErrSyntax, 10, "unexpected end in a string"},
		{"trailing comma", `{"a":1,}`, jsonscan.ErrSyntax, 7, "member name"},
		{"trailing comma nested", `{"a":{"b":1,}}`, jsonscan.ErrSyntax, 12, "member name"},
		{"trailing comma in array", `{"a":[1,]}`, jsonscan.ErrSyntax, 8, "want a value"},
		{"leading comma", `{,"a":1}`, jsonscan.ErrSyntax, 1, "member name"},
		{"no colon", `{"a" 1}`, jsonscan.ErrSyntax, 5, "want ':'"},
		{"no comma", `{"a":1 "b":2}`, jsonscan.ErrSyntax, 7, "want ',' or '}'"},
		{"bare key", `{a:1}`, jsonscan.ErrSyntax, 1, "member name"},
		{"single quotes", `{'a':1}`, jsonscan.ErrSyntax, 1, "member name"},
		{"comment", `{"a":1 /* x */}`, jsonscan.ErrSyntax, 7, "want ','"},
		{"NaN", `{"a":NaN}`, jsonscan.ErrSyntax, 5, "want a value"},
		{"True", `{"a":True}`, jsonscan.ErrSyntax, 5, "want a value"},
		{"nul", `{"a":nul}`, jsonscan.ErrSyntax, 5, "want null"},
		{"leading zero", `{"a":01}`, jsonscan.ErrSyntax, 6, "want ',' or '}'"},
		{"plus", `{"a":+1}`, jsonscan.ErrSyntax, 5, "want a value"},
		{"bare minus", `{"a":-}`, jsonscan.ErrSyntax, 6, "want a digit"},
		{"no fraction", `{"a":1.}`, jsonscan.ErrSyntax, 7, "want a digit"},
		{"no exponent", `{"a":1e}`, jsonscan.ErrSyntax, 7, "want a digit"},
		{"hex", `{"a":0x1}`, jsonscan.ErrSyntax, 6, "want ',' or '}'"},
		{"control character", "{\"a\":\"x\ny\"}", jsonscan.ErrSyntax, 7, "control character"},
		{"unknown escape", `{"a":"\x41"}`, jsonscan.ErrSyntax, 7, "unknown escape"},
		{"bad hex digit", `{"a":"\u00g0"}`, jsonscan.ErrSyntax, 10, "hexadecimal"},
		{"invalid UTF-8", "{\"a\":\"x\xffy\"}", jsonscan.ErrSyntax, 7, "invalid UTF-8"},
		{"UTF-8 surrogate", "{\"a\":\"\xed\xa0\x80\"}", jsonscan.ErrSyntax, 6, "invalid UTF-8"},
		{"cut UTF-8 in a key", "{\"\xe2\x82\":1}", jsonscan.ErrSyntax, 2, "invalid UTF-8"},
		{"duplicate", `{"model":1,"x":2,"model":3}`, jsonscan.ErrDuplicate, 17, `"model"`},
		{"escaped key", `{"mod\u0065l":1}`, jsonscan.ErrEscapedKey, 1, `"model"`},
		{"syntax outranks duplicate", `{"model":1,"model":2`, jsonscan.ErrSyntax, 20, "unexpected end"},
	}
	keys := jsonscan.NewKeys("model", "stream")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := jsonscan.Scan([]byte(tt.body), keys, nil)
			var e *jsonscan.Error
			if !errors.As(err, &e) || !errors.Is(err, tt.cause) || got != nil {
				t.Fatalf("got %v, %v; want cause %v", got, err, tt.cause)
			}
			if e.Offset != tt.offset || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("got %q at %d, want %q at %d", e, e.Offset, tt.text, tt.offset)
			}
		})
	}
}

func TestScanPassesUnwantedOddities(t *testing.T) {
	t.Parallel()
	body := []byte(`{"x":1,"x":2,"Model":"a","MODEL":"b","\u0078":3,"mod\u0065m":4,"model":"c"}`)
	got, err := jsonscan.Scan(body, jsonscan.NewKeys("model"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(got[0].Raw(body)); s != `"c"` {
		t.Errorf("model is %s", s)
	}
}

func TestScanDepth(t *testing.T) {
	t.Parallel()
	nested := func(n int) []byte { // n arrays in one object
		return []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	keys := jsonscan.NewKeys("a")
	if _, err := jsonscan.Scan(nested(jsonscan.DefaultMaxDepth-1), keys, nil); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := jsonscan.Scan(nested(jsonscan.DefaultMaxDepth), keys, nil); !errors.Is(err, jsonscan.ErrDepth) {
		t.Errorf("over the limit: %v", err)
	}
	small := jsonscan.NewKeys("a")
	small.MaxDepth = 2
	if _, err := jsonscan.Scan([]byte(`{"b":{"c":{}}}`), small, nil); !errors.Is(err, jsonscan.ErrDepth) {
		t.Errorf("over a limit of two: %v", err)
	}
	if _, err := jsonscan.Scan([]byte(`{"b":{"c":1}}`), small, nil); err != nil {
		t.Errorf("at a limit of two: %v", err)
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	body := []byte(request)
	keys := jsonscan.NewKeys("model", "stream", "stream_options")
	out := make([]jsonscan.Member, 0, keys.Len())
	inner := jsonscan.NewKeys("include_usage")
	var usage [1]jsonscan.Member
	n := testing.AllocsPerRun(100, func() {
		ms, err := jsonscan.Scan(body, keys, out)
		if err != nil {
			t.Error(err)
		}
		if _, err := jsonscan.ScanObject(body, ms[2].Value, inner, usage[:]); err != nil {
			t.Error(err)
		}
		found := 0
		_ = jsonscan.ForEachMember(body, ms[2].Value, func(m jsonscan.Member) bool {
			if m.NameIs(body, "include_usage") {
				found++
			}
			return true
		})
		if found != 1 {
			t.Error("include_usage not found")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestScanObjectInside(t *testing.T) {
	t.Parallel()
	body := []byte(request)
	top, err := jsonscan.Scan(body, jsonscan.NewKeys("stream_options", "model"), nil)
	if err != nil {
		t.Fatal(err)
	}
	in, err := jsonscan.ScanObject(body, top[0].Value, jsonscan.NewKeys("include_usage"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := in[0].Bool(body); err != nil || !v {
		t.Errorf("got %v, %v", v, err)
	}
	if _, err := jsonscan.ScanObject(body, top[1].Value, jsonscan.NewKeys("x"), nil); !errors.Is(err, jsonscan.ErrNotObject) {
		t.Errorf("object in a string: %v", err)
	}
	if _, err := jsonscan.ScanObject(body, jsonscan.Span{}, jsonscan.NewKeys("x"), nil); !errors.Is(err, jsonscan.ErrSyntax) {
		t.Errorf("object in an absent member: %v", err)
	}
}

func TestForEach(t *testing.T) {
	t.Parallel()
	body := []byte(`{"list":[1,"two",{"k":[]}, [] ],"bag":{"a":1,"\u0061":2,"b":{}}}`)
	top, err := jsonscan.Scan(body, jsonscan.NewKeys("list", "bag"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	keep := func(m jsonscan.Member) bool {
		got = append(got, string(m.AppendName(nil, body))+"="+string(m.Raw(body)))
		return len(got) != 6
	}
	if err := jsonscan.ForEachElement(body, top[0].Value, keep); err != nil {
		t.Fatal(err)
	}
	if err := jsonscan.ForEachMember(body, top[1].Value, keep); err != nil {
		t.Fatal(err)
	}
	want := []string{"=1", `="two"`, `={"k":[]}`, "=[]", "a=1", "a=2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := jsonscan.ForEachElement(body, top[1].Value, keep); !errors.Is(err, jsonscan.ErrNotObject) {
		t.Errorf("elements of an object: %v", err)
	}
	if err := jsonscan.ForEachMember(body, top[0].Value, keep); !errors.Is(err, jsonscan.ErrNotObject) {
		t.Errorf("members of an array: %v", err)
	}
	bad := []byte(`[1,2`)
	if err := jsonscan.ForEachElement(bad, jsonscan.Span{End: len(bad)}, func(jsonscan.Member) bool { return true }); !errors.Is(err, jsonscan.ErrSyntax) {
		t.Errorf("cut array: %v", err)
	}
}

func TestNameIs(t *testing.T) {
	t.Parallel()
	body := []byte(`{"plain":1,"\u0061b":1,"a\u0041":1,"":1}`)
	names := []string{"plain", "ab", "aA", ""}
	i := 0
	err := jsonscan.ForEachMember(body, jsonscan.Span{End: len(body)}, func(m jsonscan.Member) bool {
		if !m.NameIs(body, names[i]) || m.NameIs(body, `a\u0041`) || m.NameIs(body, "other") {
			t.Errorf("%s: NameIs is wrong", m.Key.Of(body))
		}
		i++
		return true
	})
	if err != nil || i != len(names) {
		t.Errorf("%d members, %v", i, err)
	}
}

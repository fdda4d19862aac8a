package jsonscan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// What stands within a body that was scanned is found as by encoding/json, whatever
// its strings hold.
func TestWithin(t *testing.T) {
	t.Parallel()
	texts := []string{``, `"`, `\`, `\\`, `\"`, `"\`, `\\"`, `"\\`, `x"`, `x\"y\\"z`, `"}]`, `,"`, "\n", "é", "日本", strings.Repeat(`\`, 9) + `"`, strings.Repeat("a", 40) + `"`}
	var list []any
	for _, text := range texts {
		list = append(list, text, map[string]any{text: text, "k": []any{text, 1}}, []any{text, nil})
	}
	body, err := json.Marshal(map[string]any{"list": list, "object": map[string]any{`a"b\`: texts, "model": `x"`, "stream": `\`}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := jsonscan.Scan(body, jsonscan.NewKeys("list", "object"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		List   []json.RawMessage
		Object map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	var elements []json.RawMessage
	if err := jsonscan.ForEachElement(body, found[0].Value, func(m jsonscan.Member) bool {
		elements = append(elements, json.RawMessage(m.Raw(body)))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.List, elements); diff != "" {
		t.Error(diff)
	}
	members := map[string]json.RawMessage{}
	if err := jsonscan.ForEachMember(body, found[1].Value, func(m jsonscan.Member) bool {
		members[string(m.AppendName(nil, body))] = m.Raw(body)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Object, members); diff != "" {
		t.Error(diff)
	}
	inner, err := jsonscan.ScanObject(body, found[1].Value, jsonscan.NewKeys("stream", "model"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`\`, `x"`} {
		if got, err := inner[i].Text(body); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}

// A whole body is validated, by whatever walks it.
func TestWholeBodiesAreValidated(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\x01", "\xff", `\q`, `\u12`} {
		body := fmt.Sprintf(`["%s"]`, text)
		if err := jsonscan.ForEachElement([]byte(body), jsonscan.Span{End: len(body)}, func(jsonscan.Member) bool { return true }); err == nil {
			t.Errorf("%q is accepted", body)
		}
		body = fmt.Sprintf(`{"a":"%s"}`, text)
		if err := jsonscan.ForEachMember([]byte(body), jsonscan.Span{End: len(body)}, func(jsonscan.Member) bool { return true }); err == nil {
			t.Errorf("%q is accepted", body)
		}
		if _, err := jsonscan.ScanObject([]byte(body), jsonscan.Span{End: len(body)}, jsonscan.NewKeys("a"), nil); err == nil {
			t.Errorf("%q is accepted", body)
		}
	}
}

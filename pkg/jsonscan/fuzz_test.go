package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// depth is the greatest nesting of a valid document.
func depth(body []byte) int {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	now, most := 0, 0
	for {
		tok, err := dec.Token()
		if err != nil {
			return most
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			now++
			most = max(most, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// entry is one top-level member as encoding/json sees it.
type entry struct {
	Name string
	Raw  string
}

func entries(t *testing.T, body []byte) []entry {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	var all []entry
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{name.(string), string(raw)})
	}
	return all
}

// FuzzScan holds that Scan accepts what encoding/json accepts, less what the package comment refuses, and finds the same
// values; and that Splice changes what it was told to and nothing else.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		request, `{}`, `[]`, `{"a":1,"b":[true,false,null],"a":2}`, `{"mod\u0065l":1}`, `{"model":"\ud83d\ude00","stream":{"a":{"b":[]}}}`,
		"{\"a\":\"\xff\"}", `{"a":1e5,"b":-0.1E+2,"c":01}`, strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "{\"日本語日本語\":\"é\",\"model\":\"\t\"}",
		`{"a":"0123456\"","b":"01234567","stream":"\\"}`, ` { "stream" : 1 , "model" : 2 , "x" : 3 } `,
	} {
		f.Add([]byte(s))
	}
	keys := jsonscan.NewKeys("model", "stream", "a")
	keys.MaxDepth = 16
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		got, err := jsonscan.Scan(body, keys, nil)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		object := json.Valid(body) && utf8.Valid(body) && bytes.TrimLeft(body, " \t\r\n")[0] == '{'
		if errors.Is(err, jsonscan.ErrDepth) && object && depth(body) <= 16 {
			t.Fatalf("refused as too deep at %d", depth(body))
		}
		if err == nil && !object {
			t.Fatal("accepted")
		}
		if err != nil {
			if errors.Is(err, jsonscan.ErrSyntax) && object && depth(body) <= 16 {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if depth(body) > 16 {
			t.Fatal("accepted although too deep")
		}
		all := entries(t, body)
		var walked []entry
		if err := jsonscan.ForEachMember(body, jsonscan.Span{End: len(body)}, func(m jsonscan.Member) bool {
			walked = append(walked, entry{string(m.AppendName(nil, body)), string(m.Raw(body))})
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, walked); diff != "" {
			t.Fatal(diff)
		}
		for i, m := range got {
			var want []string
			for _, e := range all {
				if e.Name == keys.Name(i) {
					want = append(want, e.Raw)
				}
			}
			switch {
			case len(want) > 1:
				t.Fatalf("%s occurs %d times", keys.Name(i), len(want))
			case m.Present() != (len(want) == 1):
				t.Fatalf("%s: present %v, want %q", keys.Name(i), m.Present(), want)
			case m.Present() && string(m.Raw(body)) != want[0]:
				t.Fatalf("%s: %s, want %s", keys.Name(i), m.Raw(body), want[0])
			}
		}
		splice(t, body, got, all)
	})
}

func splice(t *testing.T, body []byte, at []jsonscan.Member, all []entry) {
	out, err := jsonscan.Splice(nil, body, jsonscan.Edit{At: at[0], Key: "model", Value: []byte(`"new"`)},
		jsonscan.Edit{At: at[1]}, jsonscan.Edit{At: at[2], Key: "a", Value: []byte("[7]")})
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(out) {
		t.Fatalf("not JSON: %q", out)
	}
	var want []entry
	seen := map[string]bool{}
	for _, e := range all {
		seen[e.Name] = true
		switch e.Name {
		case "model":
			e.Raw = `"new"`
		case "a":
			e.Raw = "[7]"
		case "stream":
			continue
		}
		want = append(want, e)
	}
	if !seen["model"] {
		want = append(want, entry{"model", `"new"`})
	}
	if !seen["a"] {
		want = append(want, entry{"a", "[7]"})
	}
	if diff := cmp.Diff(want, entries(t, out)); diff != "" {
		t.Fatal(diff)
	}
}

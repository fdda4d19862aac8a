package texttool_test

import (
	"encoding/json"
	"testing"

	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// However the arguments are cut, their text is the same.
func TestReader(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		`{"input":"*** Begin\n+\"x\"\n"}`:       "*** Begin\n+\"x\"\n",
		" {\n \"input\" : \"a\\tb\" }\n":        "a\tb",
		`{"input":"\u00e9 \ud83d\ude00 z"}`:     "é 😀 z",
		`{"input":"half \ud83d."}`:              "half \uFFFD.",
		`{"input":"half \ud83d\n."}`:            "half \uFFFD\n.",
		`{"input":"half \ud83d"}`:               "half \uFFFD",
		`{"input":"a\d+"}`:                      `a\d+`,
		`{"input":"cut \u00e9 sho`:              "cut é sho",
		`{"input":"x","reason":"because"}`:      "x",
		`{"reason":"because","input":"x"}`:      "x",
		`{"patch":"x"}`:                         "x",
		`{"input":{"a":[1]}}`:                   `{"a":[1]}`,
		`{"input":null}`:                        "",
		`{}`:                                    "",
		``:                                      "",
		`{"a":1,"b":2}`:                         `{"a":1,"b":2}`,
		"*** Begin Patch\n\"quoted\" \\n":       "*** Begin Patch\n\"quoted\" \\n",
		`{"inp`:                                 `{"inp`,
		"{\"input\":\"a line\nand another é\"}": "a line\nand another é",
	} {
		if got := texttool.Unwrap(arguments); got != want {
			t.Errorf("%s: %q, want %q", arguments, got, want)
		}
		var r texttool.Reader
		got := ""
		for i := range len(arguments) {
			got += r.Add(arguments[i : i+1])
		}
		if got += r.End(); got != want {
			t.Errorf("%s byte by byte: %q, want %q", arguments, got, want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("a \"quoted\"\\\n\u2028 é 😀", 3)
	f.Add("", 1)
	f.Fuzz(func(t *testing.T, text string, step int) {
		raw, err := json.Marshal(text)
		if err != nil {
			t.Skip()
		}
		var valid string
		if json.Unmarshal(raw, &valid) != nil || valid != text {
			t.Skip("not UTF-8")
		}
		wrapped := texttool.Wrap(text)
		if !json.Valid([]byte(wrapped)) {
			t.Fatalf("%q is no JSON", wrapped)
		}
		step = max(1, step%16)
		for _, arguments := range []string{wrapped, `{"input": ` + string(raw) + "}"} {
			var r texttool.Reader
			got := ""
			for at := 0; at < len(arguments); at += step {
				got += r.Add(arguments[at:min(at+step, len(arguments))])
			}
			if got += r.End(); got != text {
				t.Errorf("%q came out as %q", text, got)
			}
		}
	})
}

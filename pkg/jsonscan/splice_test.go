package jsonscan_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

func TestSplice(t *testing.T) {
	t.Parallel()
	const remove = "-"
	tests := []struct {
		name, body, want string
		edits            [][2]string // key, new value or remove
	}{
		{"nothing", ` { "a" : 1 } `, ` { "a" : 1 } `, nil},
		{"replace", ` { "a" : 1 , "b":2 } `, ` { "a" : "x" , "b":2 } `, [][2]string{{"a", `"x"`}}},
		{"replace two, any order", `{"a":1,"b":2,"c":3}`, `{"a":9,"b":2,"c":[8]}`, [][2]string{{"c", `[8]`}, {"a", `9`}}},
		{"add", `{"a":1}`, `{"a":1,"n":2}`, [][2]string{{"n", "2"}}},
		{"add to pretty", "{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\"n\":2\n}\n", [][2]string{{"n", "2"}}},
		{"add to empty", ` { } `, ` {"n":2,"m":3 } `, [][2]string{{"n", "2"}, {"m", "3"}}},
		{"remove only", `{ "a":1 }`, `{  }`, [][2]string{{"a", remove}}},
		{"remove first", `{ "a":1 , "b":2}`, `{ "b":2}`, [][2]string{{"a", remove}}},
		{"remove middle", `{"a":1, "b":2, "c":3}`, `{"a":1, "c":3}`, [][2]string{{"b", remove}}},
		{"remove last", `{"a":1, "b":2 }`, `{"a":1 }`, [][2]string{{"b", remove}}},
		{"remove last two", `{"x":0,"a":1, "b":2}`, `{"x":0}`, [][2]string{{"b", remove}, {"a", remove}}},
		{"remove all", `{"a":1,"b":2,"c":3}`, `{}`, [][2]string{{"b", remove}, {"a", remove}, {"c", remove}}},
		{"remove all and add", `{"a":1,"b":2}`, `{"n":5}`, [][2]string{{"b", remove}, {"n", "5"}, {"a", remove}}},
		{"remove last and add", `{"a":1,"b":2}`, `{"a":1,"n":5}`, [][2]string{{"b", remove}, {"n", "5"}}},
		{"remove last behind replaced", `{"a":1,"b":2}`, `{"a":",","n":5}`, [][2]string{{"b", remove}, {"a", `","`}, {"n", "5"}}},
		{"remove what is not there", `{"a":1}`, `{"a":1}`, [][2]string{{"n", remove}}},
		{"added key is escaped", `{}`, `{"a\"\n":1}`, [][2]string{{"a\"\n", "1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var names []string
			for _, e := range tt.edits {
				names = append(names, e[0])
			}
			body := []byte(tt.body)
			at, err := jsonscan.Scan(body, jsonscan.NewKeys(names...), nil)
			if err != nil {
				t.Fatal(err)
			}
			edits := make([]jsonscan.Edit, len(at))
			for i, e := range tt.edits {
				edits[i] = jsonscan.Edit{At: at[i], Key: e[0]}
				if e[1] != remove {
					edits[i].Value = []byte(e[1])
				}
			}
			got, err := jsonscan.Splice([]byte("{,"), body, edits...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("{,"+tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if !json.Valid(got[2:]) {
				t.Errorf("not JSON: %s", got[2:])
			}
		})
	}
}

func TestSpliceRefuses(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":1,"b":2}`)
	at, err := jsonscan.Scan(body, jsonscan.NewKeys("a", "b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := []byte("kept")
	for name, edits := range map[string][]jsonscan.Edit{
		"twice":   {{At: at[1], Value: []byte("1")}, {At: at[0]}, {At: at[1]}},
		"foreign": {{At: jsonscan.Member{Kind: jsonscan.Null, Key: jsonscan.Span{Start: 90, End: 91}, Value: jsonscan.Span{Start: 92, End: 99}}}},
	} {
		if got, err := jsonscan.Splice(dst, body, edits...); !errors.Is(err, jsonscan.ErrEdit) || string(got) != "kept" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestSpliceAllocatesOnce(t *testing.T) {
	body := []byte(request)
	at, err := jsonscan.Scan(body, jsonscan.NewKeys("model", "absent", "no"), nil)
	if err != nil {
		t.Fatal(err)
	}
	value := []byte(`"another model"`)
	n := testing.AllocsPerRun(100, func() {
		_, err := jsonscan.Splice(nil, body, jsonscan.Edit{At: at[0], Value: value},
			jsonscan.Edit{At: at[1], Key: "absent \"key\"", Value: value}, jsonscan.Edit{At: at[2]})
		if err != nil {
			t.Error(err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}

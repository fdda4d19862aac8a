package learn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

func TestReadRows(t *testing.T) {
	t.Parallel()
	rows, err := learn.ReadRows(strings.NewReader("{\"text\":\"a\",\"title\":\"t\",\"group\":\"g\",\"label\":\"l\",\"created_at\":\"2023\"}\n\n{\"text\":\"b\",\"label\":\"m\",\"title\":null}"), "in")
	if err != nil {
		t.Fatal(err)
	}
	want := []learn.Row{{Document: learn.Document{Title: "t", Text: "a", Group: "g"}, Label: "l"}, {Document: learn.Document{Text: "b"}, Label: "m"}}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

func TestReadRowsNamesLineAndField(t *testing.T) {
	t.Parallel()
	good := `{"text":"a","label":"b"}` + "\n"
	for _, c := range []struct {
		in, field string
		line      int
	}{
		{"", "", 1},
		{"\n\n", "", 1},
		{good + "nonsense", "", 2},
		{good + "[1]", "", 2},
		{good + `{"label":"b"}`, "text", 2},
		{good + `{"text":"  ","label":"b"}`, "text", 2},
		{good + `{"text":7,"label":"b"}`, "text", 2},
		{good + `{"text":"a"}`, "label", 2},
		{good + `{"text":"a","label":3}`, "label", 2},
		{good + "\n" + `{"text":"a","weak":1,"strong":0}`, "label", 3},
		{`{"text":"a","weak":1}`, "strong", 1},
		{`{"text":"a","weak":"no","strong":1}`, "weak", 1},
		{`{"text":"a","weak":null,"strong":1}`, "weak", 1},
		{`{"text":"a","label":"` + strings.Repeat("x", 300) + `"}`, "label", 1},
		{`{"text":"a","group":[],"label":"b"}`, "group", 1},
	} {
		_, err := learn.ReadRows(strings.NewReader(c.in), "in.jsonl")
		var re *learn.RowError
		if !errors.As(err, &re) || re.Line != c.line || re.Field != c.field || re.Source != "in.jsonl" {
			t.Errorf("%q: %v, want line %d, field %q", c.in, err, c.line, c.field)
		}
	}
}

func FuzzReadRows(f *testing.F) {
	f.Add([]byte(`{"text":"a","label":"b"}`))
	f.Add([]byte(`{"text":"a","weak":1,"strong":0.5}`))
	f.Add([]byte("{\"text\":\"\xff\",\"label\":\"b\"}\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := learn.ReadRows(strings.NewReader(string(data)), "fuzz")
		if err == nil && len(rows) == 0 {
			t.Error("neither rows nor an error")
		}
	})
}

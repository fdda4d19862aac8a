package jsonbody_test

import (
	"encoding/json"
	"math"
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

func TestPathsNameTheMember(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":[{"b":1},{"b":"x"}],"c":null}`)
	var paths []string
	err := jsonbody.Whole(body).Members(func(name string, m *jsonbody.Value) error {
		if name == "c" {
			if !m.IsNull() {
				t.Error("null is something")
			}
			return nil
		}
		return m.Elements(func(_ int, e *jsonbody.Value) error {
			return e.Members(func(_ string, m *jsonbody.Value) error {
				paths = append(paths, m.Path())
				_, err := m.Integer()
				return err
			})
		})
	})
	f, ok := err.(*fault.Fault)
	if !ok || f.Field() != "a.1.b" || f.Reason != meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY {
		t.Errorf("%v", err)
	}
	if len(paths) != 2 || paths[0] != "a.0.b" {
		t.Errorf("%q", paths)
	}
}

func TestWriterWritesJSON(t *testing.T) {
	t.Parallel()
	var extra jsonbody.Extra
	extra.AddJSON("z", "1e400")
	extra.AddJSON("a", `[1]`)
	w := jsonbody.Writer{}
	w.Open('{')
	w.StrField("s", "é\u2028\"")
	w.IntField("n", -3)
	w.FloatField("f", 1e-7)
	w.FloatField("none", math.NaN())
	w.TruthField("t", true)
	w.Key("list")
	w.Strings([]string{"a", "b"})
	w.Key("raws")
	w.Raws([]string{"1", "{}"})
	w.Extra(extra.Object(), func(name string) bool { return name == "a" })
	w.Close('}')
	const want = `{"s":"é` + "\u2028" + `\"","n":-3,"f":1e-07,"none":null,"t":true,"list":["a","b"],"raws":[1,{}],"z":1e400}`
	if string(w.B) != want || !json.Valid(w.B) {
		t.Errorf("%s", w.B)
	}
}

func TestIsObject(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{` {"a":1}`: true, `{}`: true, ``: false, `[]`: false, `{`: false, `{} x`: false, `"{}"`: false} {
		if jsonbody.IsObject(text) != want {
			t.Errorf("%q", text)
		}
	}
}

package rename_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/rename"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, model, want string }{
		{`{"model":"a","x":1.50}`, "b", `{"model":"b","x":1.50}`},
		{`{"model":"a"}`, "", `{"model":"a"}`},
		{`{"x":[]}`, "b", `{"x":[],"model":"b"}`},
		{`{"model":"","name":"a"}`, "b", `{"model":"","name":"b"}`},
		{`{"model":null,"name":"a"}`, "b", `{"model":null,"name":"b"}`},
		{`{"name":"a"}`, "b", `{"name":"b"}`},
		{`{"model":7}`, "b", "MALFORMED_BODY"},
		{`[]`, "b", "MALFORMED_BODY"},
		{`{"model":"a","model":"a"}`, "b", "DUPLICATE_FIELD"},
	} {
		out, err := rename.JSON([]byte(c.body), c.model, "model", "name")
		got := string(out)
		if err != nil {
			got = fault.ReasonName(fault.From(err).Reason)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
	same := []byte(`{"model":"a"}`)
	if out, err := rename.JSON(same, "a", "model"); err != nil || &out[0] != &same[0] {
		t.Error("a body that need not change was copied")
	}
}

func form(parts ...string) []byte {
	var b strings.Builder
	for i := 0; i+1 < len(parts); i += 2 {
		fmt.Fprintf(&b, "--B\r\nContent-Disposition: form-data; name=%q\r\nContent-Type: x/y\r\n\r\n%s\r\n", parts[i], parts[i+1])
	}
	return []byte(b.String() + "--B--\r\n")
}

const formType = "multipart/form-data; boundary=B"

func TestForm(t *testing.T) {
	t.Parallel()
	same := form("model", "a", "file", "\x00\r\n")
	if contentType, out, err := rename.Form(formType, same, "a"); err != nil || contentType != formType || &out[0] != &same[0] {
		t.Error("a form that need not change was copied")
	}
	_, out, err := rename.Form(formType, same, "b")
	if err != nil || strings.Count(string(out), "x/y") != 2 || !strings.Contains(string(out), "\r\n\r\nb\r\n") || !strings.Contains(string(out), "\r\n\r\n\x00\r\n\r\n--B--") {
		t.Errorf("%v %q", err, out)
	}
	_, out, err = rename.Form(formType, form("file", "x"), "b")
	if err != nil || !strings.Contains(string(out), `name="model"`) {
		t.Errorf("%v %q", err, out)
	}
	many := []string{}
	for range 300 {
		many = append(many, "p", "")
	}
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		want        string
	}{
		"boundary":  {"multipart/form-data", same, "MALFORMED_BODY"},
		"cut":       {formType, same[:len(same)-9], "MALFORMED_BODY"},
		"foreign":   {formType, []byte("x"), "MALFORMED_BODY"},
		"twice":     {formType, form("model", "a", "model", "a"), "DUPLICATE_FIELD"},
		"long name": {formType, form("model", strings.Repeat("a", 300)), "MALFORMED_BODY"},
		"many":      {formType, form(many...), "TOO_LARGE"},
	} {
		if _, _, err := rename.Form(c.contentType, c.body, "b"); err == nil || fault.ReasonName(fault.From(err).Reason) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzForm holds that a form is refused with a fault or names the model then, and
// that naming it again changes nothing.
func FuzzForm(f *testing.F) {
	f.Add(formType, form("model", "a", "file", "x"))
	f.Add(formType, form("file", "x"))
	f.Add(`multipart/form-data; boundary="a b:c"`, []byte("--a b:c\r\n\r\n\r\n--a b:c--"))
	f.Add("multipart/form-data", []byte("--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		newType, out, err := rename.Form(contentType, body, "m-1")
		if err != nil {
			if bad := (*fault.Fault)(nil); !errors.As(err, &bad) {
				t.Fatal(err)
			}
			return
		}
		if _, again, err := rename.Form(newType, out, "m-1"); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%v\n%q\n%q", err, out, again)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"model":"a","name":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := rename.JSON(body, "m-1", "model", "name")
		if err == nil && !json.Valid(out) {
			t.Fatalf("%s", out)
		}
	})
}

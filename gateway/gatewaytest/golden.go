package gatewaytest

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// Golden compares got with testdata/name, or writes it with -update.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Transcript sends one request to a served edge and writes down what came: the
// status, the headers but Date and X-Request-Id, how the body was framed, and
// the body.
func Transcript(t *testing.T, client *http.Client, url, method, path, body string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "> %s %s\n", method, path)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		fmt.Fprintf(&b, "> %s: %s\n", headers[i], headers[i+1])
	}
	fmt.Fprintf(&b, "> \n%s\n\n", indent("> ", body))
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "< %s\n", resp.Status)
	var lines []string
	for key, values := range resp.Header {
		if key != "Date" && key != "X-Request-Id" {
			lines = append(lines, "< "+key+": "+strings.Join(values, " | "))
		}
	}
	slices.Sort(lines)
	if len(resp.TransferEncoding) > 0 {
		lines = append(lines, "< Transfer-Encoding: "+strings.Join(resp.TransferEncoding, ","))
	}
	fmt.Fprintf(&b, "%s\n\n%s", strings.Join(lines, "\n"), got)
	if len(got) > 0 && got[len(got)-1] != '\n' {
		b.WriteString("\n(no line end)\n")
	}
	return b.String()
}

func indent(with, s string) string { return with + strings.ReplaceAll(s, "\n", "\n"+with) }

package wiretest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// Fixtures are recordings of one dialect:
//
//	turns/*.json           bodies of clients
//	streams/*.{sse,ndjson} streamed answers of providers
//	answers/*.json         whole answers of providers
//
// A folder that is not there is passed over. Golden files stand beside them.
type Fixtures struct {
	// Dir holds the folders.
	Dir string
	// Prefix selects files by the start of their names. Empty selects all.
	Prefix string
	// Update writes golden files instead of comparing with them.
	Update bool
	// WithoutGolden checks the promises alone.
	WithoutGolden bool
}

// each runs fn for each fixture of a folder.
func (f Fixtures) each(t *testing.T, folder, pattern string, fn func(t *testing.T, stem string, data []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(f.Dir, folder, f.Prefix+pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(folder+"/"+filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fn(t, strings.TrimSuffix(path, filepath.Ext(path)), data)
		})
	}
}

func (f Fixtures) golden(t *testing.T, path, got string) {
	t.Helper()
	if !f.WithoutGolden {
		Golden(t, path, got, f.Update)
	}
}

// Golden compares got with a file, or writes it where update is set.
func Golden(t *testing.T, path, got string, update bool) {
	t.Helper()
	if update {
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
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

// ShowEvents is a line of stable JSON for each event.
func ShowEvents(t *testing.T, events []*conversationv1.Event) string {
	t.Helper()
	var out strings.Builder
	for _, event := range events {
		out.Write(compact(t, event))
		out.WriteByte('\n')
	}
	return out.String()
}

// Show is a message as stable, indented JSON.
func Show(t *testing.T, m proto.Message) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, compact(t, m), "", " "); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

func compact(t *testing.T, m proto.Message) []byte {
	t.Helper()
	loose, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, loose); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

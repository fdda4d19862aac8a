// Package layering holds the tree to its layers: pkg ← wire ← services and
// gateway ← cmd, and the bans that keep each kind of knowledge in one place.
package layering

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gptmesh/gptmesh/"

// ban forbids imports in a part of the tree.
type ban struct {
	name    string
	in      string // files whose path matches
	except  string // but not those
	imports string // may not import what matches
	note    string
}

var bans = []ban{
	{
		name: "the kit knows no room", in: `^pkg/`, except: `_test\.go$`, imports: `^` + module + `(gen/go/gptmesh/(conversation|session|request|response|gpt|classifier)|wire|services|gateway|cmd)\b`,
		note: "pkg knows gRPC, SQL and OTel; what knows language models belongs to wire or to a room. Its tests may call by a real contract",
	},
	{
		name: "dialects know no room", in: `^wire/`, imports: `^` + module + `(gen/go/gptmesh/(session|request|response|gpt|classifier)|services|gateway|cmd)\b`,
		note: "wire translates turns and events; what rooms do with them is theirs",
	},
	{
		name: "only stores import database drivers", in: `^(services|gateway|wire|cmd)/`, except: `^services/[a-z]+/internal/.*store`,
		imports: `^(database/sql|github\.com/jackc/pgx|modernc\.org/sqlite)`,
		note:    "rooms speak to their store interface; the drivers are behind pkg/sqlite and pkg/postgres",
	},
	{
		name: "only gateway and gpt speak HTTP", in: `^services/`, except: `^services/gpt/`, imports: `^net/http$`,
		note: "only gateway writes HTTP to clients, only gpt talks to providers",
	},
	{
		name: "only cmd imports rooms", in: `^(gateway|wire|pkg)/`, except: `_test\.go$`, imports: `^` + module + `services/`,
		note: "whether a room is here or elsewhere is decided in cmd/gptmesh/wire.go",
	},
	{
		name: "tests of the gateway use rooms' fakes only", in: `^(gateway|wire|pkg)/.*_test\.go$`, imports: `^` + module + `services/[a-z]+$`,
		note: "a test that needs real rooms belongs to tests/",
	},
}

func TestLayers(t *testing.T) {
	t.Parallel()
	files := sources(t)
	if len(files) < 50 {
		t.Fatalf("only %d files found", len(files))
	}
	for _, b := range bans {
		in, imports := regexp.MustCompile(b.in), regexp.MustCompile(b.imports)
		for path, list := range files {
			if !in.MatchString(path) || b.except != "" && regexp.MustCompile(b.except).MatchString(path) {
				continue
			}
			for _, imported := range list {
				if imports.MatchString(imported) {
					t.Errorf("%s imports %s\n\t%s: %s", path, imported, b.name, b.note)
				}
			}
		}
	}
}

func TestRoomsDoNotImportEachOther(t *testing.T) {
	t.Parallel()
	room := regexp.MustCompile(`^services/([a-z]+)/`)
	for path, list := range sources(t) {
		m := room.FindStringSubmatch(path)
		if m == nil {
			continue
		}
		for _, imported := range list {
			other, ok := strings.CutPrefix(imported, module+"services/")
			if !ok {
				continue
			}
			name, rest, _ := strings.Cut(other, "/")
			fake := strings.HasSuffix(path, "_test.go") && rest == name+"test"
			if name != m[1] && !fake {
				t.Errorf("%s imports %s: rooms call each other through callers; tests may use the other's fake", path, imported)
			}
		}
	}
}

func TestNamesSaySomething(t *testing.T) {
	t.Parallel()
	empty := regexp.MustCompile(`(^|/)(utils?|commons?|helpers?|managers?|misc)(/|\.go$|_)`)
	for path := range sources(t) {
		if empty.MatchString(path) {
			t.Errorf("%s: a name that says nothing", path)
		}
	}
}

// sources are the imports of every Go file of the product, by path.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, top := range []string{"pkg", "wire", "services", "gateway", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(root, path)
			name = filepath.ToSlash(name)
			out[name] = []string{}
			for _, spec := range file.Imports {
				imported, _ := strconv.Unquote(spec.Path.Value)
				out[name] = append(out[name], imported)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

package layering

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// required are the modules that a go.mod demands: itself, or with indirect what
// those demand too.
func required(t *testing.T, file string, indirect bool) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	line := regexp.MustCompile(`(?m)^\s+([a-z0-9.-]+\.[a-z]+/\S+) v\S+( // indirect)?$`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		if (indirect || m[2] == "") && !strings.HasPrefix(m[1], strings.TrimSuffix(module, "/")) {
			out = append(out, m[1])
		}
	}
	return out
}

// Every module that this repository demands is explained, and none that it does
// not demand.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	explained := regexp.MustCompile(`[a-z0-9.-]+\.[a-z]+/[A-Za-z0-9./_-]+[A-Za-z0-9]`).FindAllString(string(text), -1)
	covers := func(name, module string) bool { return module == name || strings.HasPrefix(module, name+"/") }
	var all []string
	for _, mod := range []string{".", "gen", "tests", "tools/proto"} {
		direct := required(t, filepath.Join(root, mod, "go.mod"), false)
		if len(direct) < 3 {
			t.Errorf("%s/go.mod: only %d modules were found", mod, len(direct))
		}
		for _, m := range direct {
			if !slices.ContainsFunc(explained, func(name string) bool { return covers(name, m) }) {
				t.Errorf("%s/go.mod demands %s, which docs/dependencies.md does not explain", mod, m)
			}
		}
	}
	mods, err := filepath.Glob(filepath.Join(root, "tools", "*", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(mods, filepath.Join(root, "go.mod"), filepath.Join(root, "gen", "go.mod"), filepath.Join(root, "tests", "go.mod")) {
		all = append(all, required(t, file, true)...)
	}
	for _, name := range explained {
		if !slices.ContainsFunc(all, func(m string) bool { return covers(name, m) }) {
			t.Errorf("docs/dependencies.md explains %s, which no go.mod demands", name)
		}
	}
}

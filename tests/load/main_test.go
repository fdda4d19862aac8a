package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// TestFilesOfScenarios: each scenario's profiles have files of their own, in the
// folder that is asked for.
func TestFilesOfScenarios(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, s := range scenarios(plan{all: true}) {
		name := s.file()
		if name == "" || filepath.Base(name) != name {
			t.Errorf("%q: %q is no plain file name", s.name, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q share %q", s.name, other, name)
		}
		seen[name] = s.name
	}
}

// TestSoakAsks: each kind of client of a soak has something to ask.
func TestSoakAsks(t *testing.T) {
	t.Parallel()
	for _, k := range mixture() {
		if body := k.requests(upstream.Target{})(0).Body; len(body) < k.promptBytes || !json.Valid(body) {
			t.Errorf("%s asks %.100q", k.name, body)
		}
	}
}

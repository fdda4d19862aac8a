package main

import (
	"path/filepath"
	"testing"
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

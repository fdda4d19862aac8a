package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Whoever looks at stores makes none, where a folder's name is mistyped.
func TestStatusMakesNoFolder(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "mistyped")
	if err := (migrateStatus{migrateFlags{Data: missing}}).Run(); err != nil {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

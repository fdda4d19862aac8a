package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever looks at stores makes none, where a folder's name is mistyped.
func TestStatusMakesNoFolder(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "mistyped")
	err := migrateStatus{migrateFlags{Data: missing}}.Run()
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

package sqlite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestOpenSideBySide opens the first databases of a process all at once, which
// takes a process of its own.
func TestOpenSideBySide(t *testing.T) {
	t.Parallel()
	const alone = "GPTMESH_SQLITE_TEST_ALONE"
	if os.Getenv(alone) == "" {
		for range 4 {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
			child.Env = append(os.Environ(), alone+"=1")
			if out, err := child.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		return
	}
	dir := t.TempDir()
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error {
			db, err := Open(t.Context(), Config{Path: filepath.Join(dir, strconv.Itoa(i))})
			if err != nil {
				return err
			}
			return db.Close()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

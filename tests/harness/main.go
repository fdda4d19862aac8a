package harness

import (
	"os"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"go.uber.org/goleak"
)

// Main runs a package's tests, ends the PostgreSQL server that they shared,
// removes what was built, and fails where goroutines are left behind. It
// returns the exit code.
func Main(m *testing.M, leaks ...goleak.Option) int {
	code := pgtest.Main(m, leaks...)
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	return code
}

package pgtest

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests, stops the server that they shared and, when all
// passed, fails if goroutines are left behind. It returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
func Main(m *testing.M, leaks ...goleak.Option) int {
	code := runAndStop(m)
	if code != 0 {
		return code
	}
	if err := goleak.Find(leaks...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runAndStop(m *testing.M) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.cluster != nil {
			shared.cluster.Stop()
			shared.cluster = nil
		}
	}()
	return m.Run()
}

// databaseName is unlike any other, on this server or another.
func databaseName() string { return "gptmesh_test_" + strings.ToLower(rand.Text()) }

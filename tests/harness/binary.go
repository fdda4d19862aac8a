package harness

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// EnvBinary names the variable of the environment with a program to test
// instead of building one.
const EnvBinary = "GPTMESH_BIN"

// built are the programs of this test binary, by the flags of their build. It
// is state of the process because a build is too dear to be made per test; Main
// removes it.
var built struct {
	sync.Mutex
	dir      string
	binaries map[string]string
}

// Binary returns the path of the program, built with flags ("-race", "-tags",
// "meshclone"). Each set of flags is built once.
func Binary(t testing.TB, flags ...string) string {
	t.Helper()
	if path := os.Getenv(EnvBinary); path != "" && len(flags) == 0 {
		return path
	}
	built.Lock()
	defer built.Unlock()
	name := "gptmesh" + strings.ReplaceAll(strings.Join(flags, ""), "/", "")
	if path, ok := built.binaries[name]; ok {
		return path
	}
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if built.dir == "" {
		if built.dir, err = os.MkdirTemp("", "gptmesh-binary-"); err != nil {
			t.Fatal(err)
		}
		built.binaries = map[string]string{}
	}
	path := filepath.Join(built.dir, name)
	build := exec.Command("go", append(append([]string{"build"}, flags...), "-o", path, "./cmd/gptmesh")...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", strings.Join(flags, " "), err, out)
	}
	built.binaries[name] = path
	return path
}

// Root is the folder of the root module.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "gptmesh")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("harness: no folder above this one holds cmd/gptmesh")
		}
		dir = parent
	}
}

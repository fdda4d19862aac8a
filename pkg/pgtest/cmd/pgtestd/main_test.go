package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

const childRuns = "GPTMESH_PGTESTD_CHILD"

// TestMain is also the command itself.
func TestMain(m *testing.M) {
	if os.Getenv(childRuns) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

func pgtestd(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childRuns+"=1", pgtest.EnvURL+"=")
	return cmd
}

func TestCommandGetsTheServerAndItsCodeIsPassedOn(t *testing.T) {
	t.Parallel()
	cmd := pgtestd("--", "sh", "-c", "printf %s \"$"+pgtest.EnvURL+"\"; exit 7")
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d, want 7 (%v)", code, err)
	}
	if !strings.HasPrefix(string(out), "postgres://") {
		t.Errorf("the command got %q", out)
	}
}

func TestServerThatIsThereIsUsed(t *testing.T) {
	t.Parallel()
	cmd := pgtestd("--", "sh", "-c", "printf %s \"$"+pgtest.EnvURL+"\"")
	cmd.Env = append(cmd.Env, pgtest.EnvURL+"=postgres://elsewhere/db")
	out, err := cmd.Output()
	if err != nil || string(out) != "postgres://elsewhere/db" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestCodesOfCommandsThatFail(t *testing.T) {
	t.Parallel()
	for want, args := range map[int][]string{
		codeNotFound:    {"--", "/no/such/program"},
		codeSignal + 15: {"--", "sh", "-c", "kill -TERM $$"},
		0:               {"--", "true"},
	} {
		cmd := pgtestd(args...)
		cmd.Env = append(cmd.Env, pgtest.EnvURL+"=postgres://elsewhere/db")
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%v: got %d, want %d", args, got, want)
		}
	}
}

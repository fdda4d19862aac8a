package path

import (
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// TestCallersKeepTheirRules runs the path with a program whose callers clone
// what they hand over, wipe what they lent, and are watched by the race
// detector: a room that keeps or changes what is not its own gives a wrong
// answer or a report.
func TestCallersKeepTheirRules(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the short form builds one program only")
	}
	w := startWith(t, harness.Config{Settings: settings(), Binary: harness.Binary(t, "-race", "-tags=meshclone")})
	t.Run("path", func(t *testing.T) {
		for name, run := range map[string]func(*testing.T, *world){
			"answer": testAnswer, "session": testSession, "wires": testWires, "leave": testLeave, "refused": testRefused,
			"failed": testFailed, "truncated": testTruncated, "idempotency": testIdempotency, "detached": testDetached, "cancel": testCancel,
		} {
			t.Run(name, func(t *testing.T) {
				run(t, w)
			})
		}
	})
	p := w.Processes[0]
	p.Terminate(t)
	if code := p.AwaitExit(t); code != 0 {
		t.Errorf("the process ended with %d", code)
	}
	if out := p.Output(); strings.Contains(out, "DATA RACE") || strings.Contains(out, "panic") {
		at := max(strings.Index(out, "DATA RACE"), strings.Index(out, "panic"))
		t.Errorf("%s", out[at:min(len(out), at+6000)])
	}
}

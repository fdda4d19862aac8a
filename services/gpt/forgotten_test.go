package gpt

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
)

// A call's memory is used again only where nobody else can know of it.
func TestForgotten(t *testing.T) {
	t.Parallel()
	whole := func() *call {
		c := &call{number: 1}
		a := &c.first.attempt
		a.terminal, a.ledger.settled, a.row.Outcome = true, true, gptv1.Attempt_OUTCOME_COMPLETED
		a.watch.stop()
		return c
	}
	if !whole().forgotten() {
		t.Error("an answer of one attempt is not forgotten")
	}
	for name, spoil := range map[string]func(c *call){
		"no attempt":             func(c *call) { c.number = 0 },
		"two attempts":           func(c *call) { c.number = 2 },
		"a race":                 func(c *call) { c.race = new(race) },
		"to be continued":        func(c *call) { c.seam = new(seam) },
		"no end":                 func(c *call) { c.first.attempt.terminal = false },
		"the client left":        func(c *call) { c.first.attempt.sinkErr = errors.New("gone") },
		"a failure":              func(c *call) { c.first.attempt.failure = errors.New("broken") },
		"a row left to settle":   func(c *call) { c.first.attempt.ledger.settled = false },
		"another outcome":        func(c *call) { c.first.attempt.row.Outcome = gptv1.Attempt_OUTCOME_UNKNOWN },
		"a timer that may ring":  func(c *call) { c.first.attempt.watch.over = false },
		"a timer that was never": func(c *call) { c.first.attempt.watch = watchdog{} },
	} {
		c := whole()
		if spoil(c); c.forgotten() {
			t.Errorf("%s: the memory is used again", name)
		}
	}
}

// A watch is over once its timer is sure not to ring.
func TestWatchdogOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			first, wait time.Duration
			want        bool
		}{"no limit": {0, 0, true}, "stopped in time": {time.Minute, time.Second, true}, "rang": {time.Second, time.Minute, false}} {
			s := scope.WithCancel(t.Context())
			var w watchdog
			w.start(s, c.first, time.Minute, errFirstToken)
			time.Sleep(c.wait)
			if w.stop(); w.over != c.want {
				t.Errorf("%s: over is %v", name, w.over)
			}
			s.Cancel(nil)
		}
	})
}

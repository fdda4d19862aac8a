package gpt

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

func TestWatchdog(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration // of silence
		takes time.Duration // the client
	}
	for name, c := range map[string]struct {
		steps []step
		want  error
		at    time.Duration
	}{
		"no first token":               {nil, errFirstToken, 10 * time.Second},
		"silence after a token":        {[]step{{time.Second, 0}}, errIdle, 4 * time.Second},
		"silence after many":           {[]step{{time.Second, 0}, {2 * time.Second, 0}, {2 * time.Second, 0}, {2 * time.Second, 0}}, errIdle, 10 * time.Second},
		"a client that takes its time": {[]step{{time.Second, time.Minute}, {2 * time.Second, time.Minute}}, errIdle, 126 * time.Second},
		"slow across the first limit":  {[]step{{time.Second, 0}, {2 * time.Second, 9 * time.Second}}, errIdle, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var at time.Duration
				watched := scope.WithCancel(t.Context())
				var hook scope.Hook
				hook.Hang(watched, func() { at = time.Since(begin) })
				var w watchdog
				w.start(watched, 10*time.Second, 3*time.Second, errFirstToken)
				defer w.stop()
				for _, s := range c.steps {
					time.Sleep(s.after)
					w.pause()
					time.Sleep(s.takes)
					w.resume(true)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := watched.Cause(); !errors.Is(got, c.want) || at != c.at {
					t.Errorf("%v after %v, want %v after %v", got, at, c.want, c.at)
				}
			})
		})
	}
}

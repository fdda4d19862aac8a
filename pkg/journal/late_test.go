package journal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// Each of those who wait for the same flight, in any order of their times, is let go
// at its own time, or when the flight has landed.
func TestWaitUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errDisk := errors.New("disk")
		f := &Flight{done: make(chan struct{})}
		start := time.Now()
		type result struct {
			after time.Duration
			err   error
		}
		results := make([]chan result, 5)
		for i, timeout := range []time.Duration{2, 1, 3, 10, 1} {
			results[i] = make(chan result, 1)
			go func() {
				ctx := scope.Lasting(t.Context(), timeout*time.Second)
				defer ctx.Stop()
				due, ok := scope.EndsAt(ctx)
				if !ok {
					t.Error("it does not end by time alone")
				}
				err := f.waitUntil(ctx, due)
				results[i] <- result{time.Since(start), err}
			}()
			synctest.Wait()
		}
		time.Sleep(5 * time.Second)
		f.err = errDisk
		close(f.done)
		f.late.end()
		for i, want := range []result{
			{2 * time.Second, context.DeadlineExceeded}, {time.Second, context.DeadlineExceeded}, {3 * time.Second, context.DeadlineExceeded},
			{5 * time.Second, errDisk}, {time.Second, context.DeadlineExceeded},
		} {
			if got := <-results[i]; got.after != want.after || !errors.Is(got.err, want.err) {
				t.Errorf("%d: %v after %v, want %v after %v", i, got.err, got.after, want.err, want.after)
			}
		}
		f.late.mu.Lock()
		defer f.late.mu.Unlock()
		if f.late.rung != nil {
			t.Error("the timer still runs")
		}
	})
}

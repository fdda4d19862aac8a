package limiter_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/services/gpt/internal/limiter"
)

func TestBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter.New(limiter.Config{Running: 1, Waiting: 1, MaxWait: time.Second})
		if err := l.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		waited := make(chan error, 1)
		go func() { waited <- l.Acquire(t.Context()) }()
		synctest.Wait()
		if err := l.Acquire(t.Context()); !errors.Is(err, limiter.ErrFull) {
			t.Errorf("third call: %v", err)
		}
		l.Release(limiter.Good)
		if err := <-waited; err != nil {
			t.Errorf("the call in the queue: %v", err)
		}
		// The place is taken again: waiting has an end.
		if err := l.Acquire(t.Context()); !errors.Is(err, limiter.ErrFull) {
			t.Errorf("waited too long: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Acquire(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		l.Release(limiter.Good)
		if s := l.State(); s.Running != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Refusals while few calls run do not close the way for many.
func TestLeast(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	for _, c := range []struct{ running, least, want int }{{1024, 16, 16}, {4, 16, 4}, {64, 0, 1}} {
		l := limiter.New(limiter.Config{Running: c.running, Least: c.least, Waiting: 1, MaxWait: time.Hour, Now: func() time.Time { return now }})
		for range 20 {
			if err := l.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			now = now.Add(2 * time.Second)
			l.Release(limiter.Overload)
		}
		if got := l.State().Limit; got != c.want {
			t.Errorf("%+v: the bound is %d", c, got)
		}
	}
}

// The bound falls by overloads, once for calls that ran together, never below
// one place, and rises again only while it is in use.
func TestAdapts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter.New(limiter.Config{Running: 64, Waiting: 1000, MaxWait: time.Hour})
		take := func(n int) {
			for range n {
				if err := l.Acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		take(8)
		for range 8 {
			l.Release(limiter.Overload)
		}
		if got := l.State().Limit; got != 6 {
			t.Fatalf("8 refusals at once left a bound of %d", got)
		}
		for range 50 {
			time.Sleep(2 * time.Second)
			take(1)
			l.Release(limiter.Overload)
		}
		if got := l.State().Limit; got != 1 {
			t.Fatalf("the lowest bound is %d", got)
		}
		take(1)
		l.Release(limiter.Good)
		if got := l.State().Limit; got != 2 {
			t.Fatalf("a good call at the bound left %d", got)
		}
		for range 100 {
			take(1)
			l.Release(limiter.Good) // half of the places are used: nothing is learnt
		}
		if got := l.State().Limit; got != 2 {
			t.Fatalf("idle calls raised the bound to %d", got)
		}
		for range 3000 {
			n := l.State().Limit
			take(n)
			for range n {
				l.Release(limiter.Good)
			}
		}
		if got := l.State().Limit; got != 64 {
			t.Fatalf("the bound came back to %d", got)
		}
	})
}

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
		l.Release()
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
		l.Release()
		if l.Running() != 0 {
			t.Errorf("%d places taken", l.Running())
		}
	})
}

package deferred

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errOwn = errors.New("own")

func TestWriteBeginsAfterItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var work sync.WaitGroup
		var at time.Time
		start := time.Now()
		w := New(time.Second, work.Go, func() error { at = time.Now(); return errOwn })
		time.Sleep(time.Hour)
		work.Wait()
		if got := at.Sub(start); got != time.Second {
			t.Errorf("it began after %v", got)
		}
		if w.Skip() {
			t.Error("a write that is over was skipped")
		}
		if over, err := w.Wait(t.Context()); !over || !errors.Is(err, errOwn) {
			t.Errorf("Wait: %v, %v", over, err)
		}
	})
}

func TestSkippedNeverBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(time.Second, func(f func()) { go f() }, func() error { t.Error("it ran"); return nil })
		if !w.Skip() {
			t.Error("a waiting write was not skipped")
		}
		if w.Skip() {
			t.Error("it was skipped twice")
		}
		w.Start()
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if over, err := w.Wait(ctx); over || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, %v", over, err)
		}
	})
}

func TestWaitBeginsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		for _, delay := range []time.Duration{0, time.Hour} {
			w := New(delay, func(f func()) { go f() }, func() error { time.Sleep(time.Second); return nil })
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if over, err := w.Wait(ctx); over || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait with a deadline: %v, %v", over, err)
			}
			if over, err := w.Wait(t.Context()); !over || err != nil {
				t.Errorf("Wait: %v, %v", over, err)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("both took %v", took)
		}
	})
}

func TestItRunsOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	for range 500 {
		var work, callers sync.WaitGroup
		var mu sync.Mutex
		runs, skips := 0, 0
		w := New(time.Hour, work.Go, func() error { mu.Lock(); defer mu.Unlock(); runs++; return nil })
		for i := range 4 {
			callers.Go(func() {
				if i%2 == 0 {
					w.Start()
				} else if w.Skip() {
					mu.Lock()
					defer mu.Unlock()
					skips++
				}
			})
		}
		callers.Wait()
		work.Wait()
		if runs+skips != 1 {
			t.Fatalf("%d runs, %d skips", runs, skips)
		}
		if runs == 1 {
			w.timer.Stop()
		}
	}
}

func TestDone(t *testing.T) {
	t.Parallel()
	w := Done(errOwn)
	if w.Skip() {
		t.Error("it was skipped")
	}
	w.Start()
	if over, err := w.Wait(t.Context()); !over || !errors.Is(err, errOwn) {
		t.Errorf("Wait: %v, %v", over, err)
	}
}

func BenchmarkSkipped(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(time.Hour, nil, nil).Skip()
	}
}

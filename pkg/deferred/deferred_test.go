package deferred

import (
	"context"
	"errors"
	"slices"
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
		var w Write
		NewQueue(time.Second).Later(&w, work.Go, func() error { at = time.Now(); return errOwn })
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
		var w Write
		NewQueue(time.Second).Later(&w, func(f func()) { go f() }, func() error { t.Error("it ran"); return nil })
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
			var w Write
			NewQueue(delay).Later(&w, func(f func()) { go f() }, func() error { time.Sleep(time.Second); return nil })
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
		var w Write
		NewQueue(time.Hour).Later(&w, work.Go, func() error { mu.Lock(); defer mu.Unlock(); runs++; return nil })
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
	}
}

func TestDone(t *testing.T) {
	t.Parallel()
	var w Write
	w.Done(errOwn)
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
	q := NewQueue(time.Hour)
	for b.Loop() {
		var w Write
		q.Later(&w, nil, nil)
		w.Skip()
	}
}

func TestQueueBeginsEachInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, start := NewQueue(time.Second), time.Now()
		var mu sync.Mutex
		var at []time.Duration
		spawn := func(f func()) { go f() }
		do := func() error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			return nil
		}
		for i := range 6 {
			w := new(Write)
			if q.Later(w, spawn, do); i%2 == 1 && !w.Skip() {
				t.Error("it was not skipped")
			}
			time.Sleep(400 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		q.Later(new(Write), spawn, do)
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		want := []time.Duration{time.Second, 1800 * time.Millisecond, 2600 * time.Millisecond, time.Hour + 3400*time.Millisecond}
		if !slices.Equal(at, want) {
			t.Errorf("%v, want %v", at, want)
		}
	})
}

// One ring of the timer begins what is due soon after one another.
func TestQueueBeginsSeveralTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, start := NewQueue(800*time.Millisecond), time.Now()
		var mu sync.Mutex
		var at []time.Duration
		do := func() error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			return nil
		}
		var writes [4]Write
		for i, pause := range []time.Duration{50, 40, 60, 0} {
			q.Later(&writes[i], InPlace, do)
			time.Sleep(pause * time.Millisecond)
		}
		time.Sleep(time.Hour)
		for i := range writes {
			if over, err := writes[i].Wait(t.Context()); !over || err != nil {
				t.Errorf("write %d: %v, %v", i, over, err)
			}
		}
		want := []time.Duration{800 * time.Millisecond, 900 * time.Millisecond, 900 * time.Millisecond, time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("%v, want %v", at, want)
		}
	})
}

// A write that is held up holds up no caller of another.
func TestHeldUpInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(time.Second)
		release := make(chan struct{})
		var held, next, last Write
		q.Later(&held, InPlace, func() error { <-release; return nil })
		q.Later(&next, InPlace, func() error { return errOwn })
		time.Sleep(time.Minute)
		q.Later(&last, InPlace, func() error { return nil })
		time.Sleep(time.Minute)
		if over, err := next.Wait(t.Context()); !over || !errors.Is(err, errOwn) {
			t.Errorf("Wait: %v, %v", over, err)
		}
		if !last.Skip() {
			t.Error("it began beside one that is held up")
		}
		close(release)
		if over, err := held.Wait(t.Context()); !over || err != nil {
			t.Errorf("Wait: %v, %v", over, err)
		}
		var again Write
		q.Later(&again, InPlace, func() error { return nil })
		time.Sleep(time.Second)
		synctest.Wait()
		if again.Skip() {
			t.Error("the queue stands still")
		}
	})
}

// What is skipped leaves the queue at once, wherever in it it stood.
func TestSkippedLeavesTheQueue(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		q := NewQueue(time.Hour)
		var w [3]Write
		for i := range w {
			q.Later(&w[i], nil, nil)
		}
		for n, i := range order {
			if !w[i].Skip() {
				t.Error("it was not skipped")
			}
			left := 0
			for at := q.first; at != nil; at = at.next {
				left++
			}
			if left != 2-n || (q.first == nil) != (q.last == nil) {
				t.Errorf("%v: %d are left after %d", order, left, n+1)
			}
		}
		if w[0].next != nil || w[0].prev != nil {
			t.Error("it still knows the others")
		}
	}
}

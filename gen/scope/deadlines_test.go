package scope_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// Every scope ends at its time, in whatever order they were added, and none that
// was taken out.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	type call struct {
		scope.Scope
		place scope.Deadline
		due   time.Time
		cause error
		ended time.Time
		taken bool
	}
	for name, after := range map[string]func(i int) time.Duration{
		"one after the other": func(i int) time.Duration { return time.Duration(i) * time.Second },
		"the latest first":    func(i int) time.Duration { return time.Duration(200-i) * time.Second },
		"all at once":         func(int) time.Duration { return time.Minute },
		"in any order":        func(int) time.Duration { return rand.N(time.Minute) },
		"a short one now and then": func(i int) time.Duration {
			if i%50 == 7 {
				return time.Second
			}
			return time.Minute + time.Duration(i)
		},
		"over already": func(i int) time.Duration { return time.Duration(-i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d scope.Deadlines
				start := time.Now()
				var all []*call
				for i := range 200 {
					c := &call{due: start.Add(after(i)), cause: fmt.Errorf("call %d", i)}
					c.Start(t.Context())
					context.AfterFunc(c, func() { c.ended = time.Now() })
					d.Add(&c.place, &c.Scope, c.due, c.cause)
					all = append(all, c)
				}
				for i, c := range all {
					if i%3 == 0 && c.due.After(start) {
						c.taken = true
						d.Remove(&c.place)
					}
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				for i, c := range all {
					switch {
					case c.taken:
						if c.Err() != nil {
							t.Errorf("%d ended though it was taken out", i)
						}
					case !errors.Is(context.Cause(c), c.cause):
						t.Errorf("%d: %v", i, context.Cause(c))
					case c.due.After(start) && !c.ended.Equal(c.due) || !c.due.After(start) && !c.ended.Equal(start):
						t.Errorf("%d ended %v after its time", i, c.ended.Sub(c.due))
					}
					d.Remove(&c.place) // for the second time, or too late: nothing happens
					c.Cancel(nil)
				}
				// It can be used on.
				var c call
				c.Start(t.Context())
				d.Add(&c.place, &c.Scope, time.Now().Add(time.Second), errors.ErrUnsupported)
				time.Sleep(time.Minute)
				if !errors.Is(context.Cause(&c), errors.ErrUnsupported) {
					t.Error("the last one:", context.Cause(&c))
				}
			})
		})
	}
}

// Scopes come and go while others end.
func TestDeadlinesRace(t *testing.T) {
	t.Parallel()
	var d scope.Deadlines
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 500 {
				var s scope.Scope
				var place scope.Deadline
				s.Start(context.Background())
				d.Add(&place, &s, time.Now().Add(rand.N(2*time.Millisecond)), context.DeadlineExceeded)
				if i%10 == 0 {
					<-s.Done()
				}
				d.Remove(&place)
				s.Cancel(nil)
			}
		}()
	}
	for range 4 {
		<-done
	}
}

// A scope that was started among others ends as one with a timer of its own does.
func TestStartAmong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d scope.Deadlines
		cause := errors.New("too slow")
		type call struct {
			scope.Scope
			place scope.Deadline
		}
		start := time.Now()
		var late, caused, early, removed call
		above, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		late.StartAmong(&d, &late.place, t.Context(), start.Add(2*time.Second), nil)
		caused.StartAmong(&d, &caused.place, t.Context(), start.Add(3*time.Second), cause)
		early.StartAmong(&d, &early.place, above, start.Add(time.Minute), cause)
		removed.StartAmong(&d, &removed.place, t.Context(), start.Add(4*time.Second), nil)
		if at, ok := late.Deadline(); !ok || !at.Equal(start.Add(2*time.Second)) {
			t.Error(at, ok)
		}
		if at, ok := early.Deadline(); !ok || !at.Equal(start.Add(time.Second)) {
			t.Error(at, ok)
		}
		d.Remove(&removed.place)
		removed.Cancel(nil)
		<-early.Done()
		<-late.Done()
		if after := time.Since(start); after != 2*time.Second || !errors.Is(late.Err(), context.DeadlineExceeded) {
			t.Error(after, late.Err())
		}
		<-caused.Done()
		if after := time.Since(start); after != 3*time.Second || !errors.Is(caused.Err(), context.DeadlineExceeded) || context.Cause(&caused) != cause {
			t.Error(after, caused.Err(), context.Cause(&caused))
		}
		time.Sleep(time.Hour)
		if !errors.Is(removed.Err(), context.Canceled) {
			t.Error(removed.Err())
		}
		for _, c := range []*call{&late, &caused, &early, &removed} {
			d.Remove(&c.place)
			c.Cancel(nil)
		}
	})
}

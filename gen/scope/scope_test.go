package scope_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

type key struct{}

var errWhy = errors.New("why")

// Chains of both kinds in every order end alike: all below what is cancelled,
// with its cause, and nothing above.
func TestEnds(t *testing.T) {
	t.Parallel()
	type made struct {
		ctx    context.Context
		cancel context.CancelCauseFunc
	}
	kinds := map[string]func(context.Context) made{
		"scope": func(ctx context.Context) made {
			s := scope.WithCancel(ctx)
			return made{s, s.Cancel}
		},
		"library": func(ctx context.Context) made {
			c, cancel := context.WithCancelCause(ctx)
			return made{c, cancel}
		},
		"value": func(ctx context.Context) made { return made{scope.WithValue(ctx, key{}, 1), nil} },
		"library's value": func(ctx context.Context) made {
			return made{context.WithValue(ctx, key{}, 1), nil}
		},
	}
	for a, first := range kinds {
		for b, second := range kinds {
			for c, third := range kinds {
				t.Run(a+"/"+b+"/"+c, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						root := scope.WithCancel(t.Context())
						chain := []made{{root, root.Cancel}}
						for _, make := range []func(context.Context) made{first, second, third} {
							chain = append(chain, make(chain[len(chain)-1].ctx))
						}
						leaf := scope.WithCancel(chain[3].ctx)
						chain = append(chain, made{leaf, leaf.Cancel})
						ran := make(chan struct{})
						var hook scope.Hook
						hook.Hang(leaf, func() { close(ran) })
						from := 0
						for i, m := range chain {
							if m.cancel != nil && i < 4 {
								from = i // the lowest but the leaf
							}
						}
						for _, m := range chain {
							if m.ctx.Err() != nil || context.Cause(m.ctx) != nil {
								t.Fatal("it ended before")
							}
						}
						chain[from].cancel(errWhy)
						<-leaf.Done()
						<-ran
						synctest.Wait()
						for i, m := range chain {
							if i >= from && (!errors.Is(m.ctx.Err(), context.Canceled) || !errors.Is(context.Cause(m.ctx), errWhy)) {
								t.Errorf("%d: %v, %v", i, m.ctx.Err(), context.Cause(m.ctx))
							}
							if i < from && m.ctx.Err() != nil {
								t.Errorf("%d ended: %v", i, m.ctx.Err())
							}
						}
						if hook.Stop() {
							t.Error("a hook that ran can be stopped")
						}
						leaf.Cancel(nil)
						for _, m := range chain {
							if m.cancel != nil {
								m.cancel(nil)
							}
						}
						if !errors.Is(context.Cause(leaf), errWhy) {
							t.Error("the second cause counts")
						}
					})
				})
			}
		}
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		outer := scope.WithDeadline(t.Context(), begin.Add(time.Minute), nil)
		inner := scope.WithDeadline(outer, begin.Add(time.Second), errWhy)
		later := scope.WithDeadline(outer, begin.Add(time.Hour), errWhy)
		library, stop := context.WithTimeout(later, 2*time.Hour)
		defer stop()
		if due, ok := later.Deadline(); !ok || !due.Equal(begin.Add(time.Minute)) {
			t.Error(due, ok)
		}
		<-inner.Done()
		if time.Since(begin) != time.Second || !errors.Is(inner.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(inner), errWhy) || outer.Err() != nil {
			t.Error(time.Since(begin), inner.Err(), context.Cause(inner), outer.Err())
		}
		<-library.Done()
		if time.Since(begin) != time.Minute || !errors.Is(library.Err(), context.DeadlineExceeded) || !errors.Is(later.Cause(), context.DeadlineExceeded) {
			t.Error(time.Since(begin), library.Err(), later.Cause())
		}
		later.Cancel(nil)
		inner.Cancel(nil)
		outer.Cancel(nil)
	})
}

// TestLasting counts goroutines, so nothing runs beside it.
func TestLasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := scope.WithCancel(context.WithValue(t.Context(), key{}, 7))
		parent.Cancel(errWhy)
		l := scope.Lasting(parent, time.Minute)
		if l.Err() != nil || context.Cause(l) != nil || l.Value(key{}) != 7 {
			t.Error(l.Err(), context.Cause(l), l.Value(key{}))
		}
		before := runtime.NumGoroutine()
		child, cancel := context.WithCancel(scope.WithValue(l, key{}, 8))
		defer cancel()
		if runtime.NumGoroutine() != before {
			t.Error("a context made of it takes a goroutine")
		}
		<-child.Done()
		if !errors.Is(child.Err(), context.DeadlineExceeded) {
			t.Error(child.Err())
		}
		silent := scope.Lasting(parent, time.Second)
		time.Sleep(time.Second)
		if !errors.Is(silent.Err(), context.DeadlineExceeded) {
			t.Error(silent.Err())
		}
		over := scope.Lasting(parent, time.Second)
		over.Cancel(nil)
		<-over.Done()
		if !errors.Is(over.Err(), context.Canceled) {
			t.Error(over.Err())
		}
	})
}

func TestHookStops(t *testing.T) {
	t.Parallel()
	for _, ctx := range []context.Context{scope.WithCancel(t.Context()), t.Context()} {
		var hook scope.Hook
		hook.Hang(ctx, func() { t.Error("it ran") })
		if !hook.Stop() || hook.Stop() {
			t.Error("Stop")
		}
	}
	ended := scope.WithCancel(t.Context())
	ended.Cancel(nil)
	ran := make(chan struct{})
	var hook scope.Hook
	hook.Hang(ended, func() { close(ran) })
	<-ran
	if hook.Stop() {
		t.Error("a hook that ran can be stopped")
	}
	if child := scope.WithCancel(ended); child.Err() == nil {
		t.Error("made of what has ended, it lives")
	}
}

// All ends meet: run with -race.
func TestRaces(t *testing.T) {
	t.Parallel()
	for range 200 {
		root := scope.WithCancel(t.Context())
		done := make(chan struct{})
		for range 4 {
			go func() {
				defer func() { done <- struct{}{} }()
				child := scope.WithDeadline(scope.WithValue(root, key{}, 1), time.Now().Add(time.Millisecond), errWhy)
				var hook scope.Hook
				hook.Hang(child, func() {})
				library, cancel := context.WithCancel(child)
				_, _ = child.Err(), context.Cause(library)
				hook.Stop()
				cancel()
				child.Cancel(nil)
			}()
		}
		root.Cancel(errWhy)
		for range 4 {
			<-done
		}
	}
}

func TestLastingRaces(t *testing.T) {
	t.Parallel()
	for range 500 {
		l := scope.Lasting(t.Context(), time.Hour)
		done := make(chan struct{})
		go func() {
			defer close(done)
			child := scope.WithCancel(scope.WithValue(l, key{}, 1))
			<-child.Done()
			<-l.Done()
			if !errors.Is(child.Cause(), errWhy) {
				t.Error(child.Cause())
			}
		}()
		l.Cancel(errWhy)
		l.Cancel(nil)
		<-done
		if !errors.Is(l.Err(), context.Canceled) || !errors.Is(context.Cause(l), errWhy) {
			t.Error(l.Err(), context.Cause(l))
		}
	}
}

// A write's context costs one allocation while nobody waits for its end.
func TestLastingIsSmall(t *testing.T) {
	parent := context.WithValue(t.Context(), key{}, 1)
	if n := testing.AllocsPerRun(100, func() {
		l := scope.Lasting(parent, time.Minute)
		if l.Err() != nil || l.Value(key{}) != 1 {
			t.Error(l.Err())
		}
		l.Cancel(nil)
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkChain(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var all [9]scope.Scope
		ctx := b.Context()
		for i := range all {
			all[i].Start(ctx)
			ctx = &all[i]
		}
		for i := range all {
			all[len(all)-1-i].Cancel(nil)
		}
	}
}

func TestHookBinds(t *testing.T) {
	t.Parallel()
	library, cancel := context.WithCancelCause(t.Context())
	own := scope.WithCancel(t.Context())
	for _, c := range []struct {
		of  context.Context
		end func(error)
	}{{own, own.Cancel}, {library, cancel}} {
		bound, stopped := scope.WithCancel(t.Context()), scope.WithCancel(t.Context())
		var hook, off scope.Hook
		hook.Bind(c.of, bound)
		off.Bind(c.of, stopped)
		if !off.Stop() || bound.Err() != nil {
			t.Error("Stop, or an early end")
		}
		c.end(errWhy)
		<-bound.Done()
		if bound.Cause() != errWhy || stopped.Err() != nil || hook.Stop() {
			t.Error(bound.Cause(), stopped.Err())
		}
		late := scope.WithCancel(t.Context())
		var over scope.Hook
		over.Bind(c.of, late)
		<-late.Done()
		if late.Cause() != errWhy || over.Stop() {
			t.Error(late.Cause())
		}
	}
}

package durable_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/durable"
)

// write counts how often it was waited for.
type write struct {
	done      chan struct{}
	err       error
	waits     int
	unwritten error
	asked     int // whether it is written
}

func (w *write) Written(context.Context) error {
	w.asked++
	return w.unwritten
}

func (w *write) Wait(ctx context.Context) error {
	w.waits++
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func over(err error) *write {
	w := &write{done: make(chan struct{}), err: err}
	close(w.done)
	return w
}

func TestGroupWaitsForEachOnce(t *testing.T) {
	t.Parallel()
	var g durable.Group
	a, b, c := over(nil), over(nil), over(nil)
	g.Add(a)
	g.Add(b)
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.Add(c)
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.waits != 1 || b.waits != 1 || c.waits != 1 {
		t.Errorf("waited %d, %d and %d times", a.waits, b.waits, c.waits)
	}
}

func TestGroupKeepsAFailure(t *testing.T) {
	t.Parallel()
	failed := errors.New("the disk is full")
	for _, at := range []int{0, 1, 2} {
		var g durable.Group
		for i := range 3 {
			if i == at {
				g.Add(over(failed))
			} else {
				g.Add(over(nil))
			}
		}
		for range 2 {
			if err := g.Wait(t.Context()); !errors.Is(err, failed) {
				t.Errorf("write %d failed, and Wait says %v", at, err)
			}
		}
	}
}

// What is written is still waited for, and its failure told.
func TestGroupWritten(t *testing.T) {
	t.Parallel()
	failed := errors.New("the disk is gone")
	var g durable.Group
	a, b := &write{done: make(chan struct{})}, &write{done: make(chan struct{}), err: failed}
	g.Add(a)
	g.Add(b)
	if err := g.Written(t.Context()); err != nil || a.asked != 1 || b.asked != 1 || a.waits+b.waits != 0 {
		t.Errorf("%v; asked %d and %d times", err, a.asked, b.asked)
	}
	close(a.done)
	close(b.done)
	if err := g.Wait(t.Context()); !errors.Is(err, failed) {
		t.Errorf("Wait: %v", err)
	}
	if err := g.Written(t.Context()); !errors.Is(err, failed) {
		t.Errorf("Written behind that: %v", err)
	}
}

func TestGroupKeepsWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	failed := errors.New("the disk is full")
	var g durable.Group
	w := over(nil)
	w.unwritten = failed
	g.Add(w)
	g.Add(over(nil))
	for range 2 {
		if err := g.Written(t.Context()); !errors.Is(err, failed) {
			t.Errorf("Written: %v", err)
		}
	}
	if err := g.Wait(t.Context()); !errors.Is(err, failed) {
		t.Errorf("Wait: %v", err)
	}
	// Of one who left, nothing is known.
	ctx, leave := context.WithCancel(t.Context())
	leave()
	var other durable.Group
	w = over(nil)
	w.unwritten = ctx.Err()
	other.Add(w)
	if err := other.Written(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Written of one who left: %v", err)
	}
	if err := other.Wait(t.Context()); err != nil {
		t.Errorf("Wait: %v", err)
	}
}

// A caller who leaves has not waited: the next one waits again.
func TestGroupAfterACallerLeft(t *testing.T) {
	t.Parallel()
	var g durable.Group
	w := &write{done: make(chan struct{})}
	g.Add(over(nil))
	g.Add(w)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := g.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait of one who left: %v", err)
	}
	close(w.done)
	if err := g.Wait(t.Context()); err != nil || w.waits != 2 {
		t.Errorf("Wait: %v after %d waits", err, w.waits)
	}
}

func TestNoGroup(t *testing.T) {
	t.Parallel()
	var g *durable.Group
	if err := errors.Join(g.Wait(t.Context()), g.Written(t.Context())); err != nil {
		t.Error(err)
	}
	if durable.From(t.Context()) != nil {
		t.Error("a context without a group has one")
	}
}

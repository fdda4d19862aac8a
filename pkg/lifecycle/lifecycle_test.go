package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/fault"
)

// recorder makes components that write down what is done to them.
type recorder struct{ log []string }

func (r *recorder) component(name string, startErr error) Component {
	note := func(what string) { r.log = append(r.log, what+" "+name) }
	return Component{
		Name:  name,
		Start: func(context.Context) error { note("start"); return startErr },
		Drain: func(context.Context) error { note("drain"); return nil },
		Close: func() error { note("close"); return nil },
	}
}

func TestStopsInReverse(t *testing.T) {
	t.Parallel()
	var r recorder
	var g Group
	g.Add(r.component("a", nil))
	g.Add(r.component("b", nil))
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"start a", "start b", "drain b", "drain a", "close b", "close a"}
	if !slices.Equal(r.log, want) {
		t.Errorf("order %v, want %v", r.log, want)
	}
	if err := g.Shutdown(t.Context()); err != nil || len(r.log) != len(want) {
		t.Errorf("a second shutdown did %v, %v", r.log[len(want):], err)
	}
}

func TestFailedStartClosesWhatIsOpen(t *testing.T) {
	t.Parallel()
	var r recorder
	var g Group
	open := r.component("open", nil)
	open.Start = nil
	g.Add(open)
	g.Add(r.component("a", nil))
	g.Add(r.component("bad", errors.New("no")))
	g.Add(r.component("never", nil))
	err := g.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "bad: no") {
		t.Fatalf("Start = %v", err)
	}
	want := []string{"start a", "start bad", "close bad", "close a", "close open"}
	if !slices.Equal(r.log, want) {
		t.Errorf("order %v, want %v", r.log, want)
	}
}

func TestReadyFollowsTheParts(t *testing.T) {
	t.Parallel()
	var g Group
	broken := errors.New("broken")
	var now error
	g.Add(Component{Name: "a", Ready: func(context.Context) error { return now }})
	if s := g.Ready(t.Context()); !errors.Is(s[0].Err, ErrNotServing) || fault.From(s[0].Err).Message != "starting or stopping" {
		t.Errorf("before the start: %v", s)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := g.Ready(t.Context()); s[0].Err != nil {
		t.Errorf("after the start: %v", s)
	}
	now = broken
	if s := g.Ready(t.Context()); !errors.Is(s[0].Err, broken) {
		t.Errorf("broken: %v", s)
	}
	now = nil
	g.Leave()
	if s := g.Ready(t.Context()); !errors.Is(s[0].Err, ErrNotServing) {
		t.Errorf("leaving: %v", s)
	}
}

package storetest

import (
	"context"
	"testing"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// Told holds a store to telling what its calls carry for the outbox: once where
// they change something, never where they change nothing. s is empty, and told
// returns what its outbox holds, in order.
func Told(t *testing.T, s store.Store, told func() string) {
	t.Helper()
	with := func(record string) context.Context { return outbox.With(t.Context(), []byte(record)) }
	expect := func(what, expected string) {
		t.Helper()
		if got := told(); got != expected {
			t.Errorf("%s: told %q, want %q", what, got, expected)
		}
	}
	final := func(id string) store.Final {
		return store.Final{Response: finished(answer(id, "me", 0), responsev1.Response_STATE_COMPLETED), Log: []byte("frames")}
	}
	ok(t, s.Begin(t.Context(), answer("a", "me", 0), "one"))
	ok(t, s.Finish(with("A"), final("a")))
	want(t, s.Finish(with("!"), final("a")), store.ErrNotRunning)
	expect("finished", "A")
	ok(t, s.Add(with("B"), final("b"), "one"))
	want(t, s.Add(with("!"), final("b"), "one"), store.ErrExists)
	expect("added whole", "AB")
	ok(t, s.Begin(t.Context(), answer("c", "me", 0), "dead"))
	opened := outbox.Open(t.Context())
	now, err := s.Now(opened)
	ok(t, err)
	sweep := store.Sweep{DeadBefore: now, Except: "one", All: true, Now: now, Limit: 9, End: func(r *responsev1.Response, _ []byte) []byte {
		r.State = responsev1.Response_STATE_INTERRUPTED
		outbox.Add(opened, []byte("C"))
		return nil
	}}
	n, err := s.Interrupt(opened, sweep)
	ok(t, err)
	if n != 1 {
		t.Errorf("%d answers were interrupted, want 1", n)
	}
	expect("interrupted", "ABC")
}

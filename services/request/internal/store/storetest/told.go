package storetest

import (
	"context"
	"testing"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
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
	key := &store.Key{Key: "k", Hash: []byte("hash"), Expires: epoch.Add(time.Hour), Now: epoch}
	ok(t, s.Accept(with("a"), request("a", "me", 0), "one", nil))
	ok(t, s.Accept(with("b"), request("b", "me", 0), "one", key))
	expect("accepted", "ab")
	want(t, s.Accept(with("!"), request("c", "me", 0), "one", key), store.ErrKeyTaken)
	ok(t, s.Finish(with("A"), in(request("a", "me", 0), requestv1.Request_STATE_COMPLETED), true))
	ok(t, s.Finish(with("B"), in(request("b", "me", 0), requestv1.Request_STATE_FAILED), true))
	want(t, s.Finish(with("!"), in(request("b", "me", 0), requestv1.Request_STATE_FAILED), true), store.ErrFinal)
	expect("finished", "abAB")
	ok(t, s.Add(with("D"), in(request("d", "me", 0), requestv1.Request_STATE_COMPLETED), "one", true))
	want(t, s.Add(with("!"), in(request("d", "me", 0), requestv1.Request_STATE_COMPLETED), "one", true), store.ErrFinal)
	expect("added whole", "abABD")
}

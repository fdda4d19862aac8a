package eventstest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

var errNotNow = errors.New("not now")

const quick = 5 * time.Millisecond

func redelivery(t *testing.T, h Harness) {
	b := h.Open(t)
	in := newInbox()
	in.refuse = func(e *events.Event, before int) error {
		if number(e) == 3 && before < 2 {
			return errNotNow
		}
		return nil
	}
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest, Backoff: quick}, in.handle)
	publish(t, b, series("a", 1, 6)...)
	list := in.await(t, 6)
	inOrder(t, list)
	want(t, in.numbers(), []int{1, 2, 3, 4, 5, 6})
	if n := in.tries[list[2].GetId()]; n < 3 {
		t.Errorf("tried %d times", n)
	}
}

func duplicate(t *testing.T, h Harness) {
	b := h.Open(t)
	in := newInbox()
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest}, in.handle)
	once := Event("session.updated", "a", 1)
	publish(t, b, once)
	publish(t, b, once)
	publish(t, b, Event("session.updated", "a", 2))
	in.await(t, 2)
	want(t, in.numbers(), []int{1, 2})
}

func consumerCrash(t *testing.T, h Harness) {
	b := h.Open(t)
	publish(t, b, series("a", 1, 8)...)
	first := newInbox()
	stuck := make(chan struct{})
	leave := subscribe(t, h.Open(t), events.Subscription{Group: "readers", Start: earliest}, func(ctx context.Context, e *events.Event) error {
		if number(e) == 4 {
			close(stuck)
			<-ctx.Done() // and nothing is known of what it did
			return ctx.Err()
		}
		return first.handle(ctx, e)
	})
	select {
	case <-stuck:
	case <-time.After(patience):
		t.Fatal("the fourth event did not come")
	}
	leave()
	second := newInbox()
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest}, second.handle)
	list := second.until(t, "the eighth event", func(list []*events.Event) bool {
		return len(list) > 0 && number(list[len(list)-1]) == 8
	})
	inOrder(t, list)
	if from := number(list[0]); from > 4 {
		t.Errorf("the second consumer began at %d: the fourth was lost", from)
	}
}

func slowConsumer(t *testing.T, h Harness) {
	b := h.Open(t)
	gate := make(chan struct{})
	var open atomic.Bool
	slow, fast := newInbox(), newInbox()
	subscribe(t, b, events.Subscription{Group: "slow", Start: earliest}, func(ctx context.Context, e *events.Event) error {
		if !open.Load() {
			select {
			case <-gate:
				open.Store(true)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return slow.handle(ctx, e)
	})
	subscribe(t, b, events.Subscription{Group: "fast", Start: earliest}, fast.handle)
	const many = 300
	for n := 1; n <= many; n += 50 {
		publish(t, b, series("a", n, n+49)...)
	}
	inOrder(t, fast.await(t, many))
	if n := len(slow.got()); n != 0 {
		t.Errorf("the slow one got %d events through a closed gate", n)
	}
	close(gate)
	inOrder(t, slow.await(t, many))
}

func downThenUp(t *testing.T, h Harness) {
	if h.Down == nil {
		t.Skip("has no server to lose")
	}
	b := h.Open(t)
	in := newInbox()
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest}, in.handle)
	publish(t, b, series("a", 1, 3)...)
	in.await(t, 3)
	h.Down(t)
	lost := series("a", 4, 6)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	taken, err := b.Publish(ctx, lost)
	cancel()
	if err == nil || taken != 0 {
		t.Errorf("published %d to a broker that is down, error %v", taken, err)
	}
	h.Up(t)
	publish(t, b, lost...)
	publish(t, b, series("a", 7, 9)...)
	list := in.await(t, 9)
	inOrder(t, list)
}

func restart(t *testing.T, h Harness) {
	b := h.Open(t)
	in := newInbox()
	leave := subscribe(t, b, events.Subscription{Group: "readers", Start: earliest}, in.handle)
	publish(t, b, series("a", 1, 3)...)
	in.await(t, 3)
	leave()
	publish(t, b, series("a", 4, 5)...)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = h.Open(t)
	publish(t, b, series("a", 6, 6)...)
	later := newInbox()
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest}, later.handle)
	later.await(t, 3)
	want(t, later.numbers(), []int{4, 5, 6})
}

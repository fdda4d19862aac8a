package eventstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

func replay(t *testing.T, h Harness) {
	b := h.Open(t)
	early := series("a", 1, 3)
	publish(t, b, early...)
	nextMillisecond() // servers keep time in milliseconds
	between := time.Now()
	nextMillisecond()
	publish(t, b, series("a", 4, 6)...)

	for name, test := range map[string]struct {
		start events.Start
		want  []int
	}{
		"beginning": {earliest, []int{1, 2, 3, 4, 5, 6}},
		"time":      {events.Start{Time: between}, []int{4, 5, 6}},
		"id":        {events.Start{AfterID: early[1].GetId()}, []int{3, 4, 5, 6}},
	} {
		for _, group := range []string{"", "again-" + name} {
			in := newInbox()
			leave := subscribe(t, b, events.Subscription{Group: group, Start: test.start}, in.handle)
			in.await(t, len(test.want))
			want(t, in.numbers(), test.want)
			leave()
		}
	}
	err := b.Subscribe(t.Context(), events.Subscription{Group: "nowhere", Start: events.Start{AfterID: "evt_00000000000000000000000000"}}, newInbox().handle)
	if !errors.Is(err, events.ErrUnknownID) {
		t.Errorf("an unknown id: %v", err)
	}
}

// nextMillisecond returns when the present millisecond is over.
func nextMillisecond() { <-time.After(2 * time.Millisecond) }

func share(t *testing.T, h Harness) {
	one, two := h.Open(t), h.Open(t)
	in := newInbox() // of both
	leave := subscribe(t, one, events.Subscription{Group: "readers", Start: earliest}, in.handle)
	subscribe(t, two, events.Subscription{Group: "readers", Start: earliest}, in.handle)
	publish(t, one, series("a", 1, 20)...)
	inOrder(t, in.await(t, 20))
	leave()
	publish(t, two, series("a", 21, 40)...)
	inOrder(t, in.await(t, 40))
	in.mu.Lock()
	defer in.mu.Unlock()
	if n := len(in.list); n > 44 {
		t.Errorf("40 events were handled %d times", n)
	}
}

// broadcast: everyone gets everything from now on.
func broadcast(t *testing.T, h Harness) {
	b := h.Open(t)
	publish(t, b, series("a", 1, 3)...)
	one, two := newInbox(), newInbox()
	subscribe(t, b, events.Subscription{}, one.handle)
	subscribe(t, h.Open(t), events.Subscription{}, two.handle)
	one.coax(t, b, "b", 100)
	two.coax(t, b, "b", 2000)
	publish(t, b, series("a", 4, 6)...)
	for _, in := range []*inbox{one, two} {
		want(t, in.awaitOf(t, "a", 3), []int{4, 5, 6})
	}
}

func subjects(t *testing.T, h Harness) {
	b := h.Open(t)
	in := newInbox()
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest, Subjects: []string{"request.*", "session.ended"}}, in.handle)
	for i, subject := range []string{"session.updated", "request.initiated", "request.completed", "session.ended", "response.received", "request.late.word"} {
		publish(t, b, Event(subject, "a", i+1))
	}
	publish(t, b, Event("request.failed", "a", 99))
	in.await(t, 4)
	want(t, in.numbers(), []int{2, 3, 4, 99})
	if err := b.Subscribe(context.Background(), events.Subscription{Subjects: []string{"a..b"}}, in.handle); err == nil {
		t.Error("a pattern with an empty word was taken")
	}
}

// fromNowOn: a group that begins behind the newest event gets what is published
// while it is away, after it went.
func fromNowOn(t *testing.T, h Harness) {
	b := h.Open(t)
	publish(t, b, series("a", 1, 3)...)
	in := newInbox()
	sub := events.Subscription{Group: "readers"}
	leave := subscribe(t, b, sub, in.handle)
	in.coax(t, b, "a", 10)
	leave()
	publish(t, b, series("b", 2001, 2003)...)
	later := newInbox()
	subscribe(t, b, sub, later.handle)
	want(t, later.awaitOf(t, "b", 3), []int{2001, 2002, 2003})
	for _, n := range in.numbers() {
		if n < 10 {
			t.Errorf("got %d, which is older", n)
		}
	}
}

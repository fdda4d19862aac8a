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
	time.Sleep(20 * time.Millisecond) // servers keep time in milliseconds
	between := time.Now()
	time.Sleep(20 * time.Millisecond)
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
	// A subscription without a group has no way to say that it stands.
	for n := 100; len(one.got()) == 0 || len(two.got()) == 0; n++ {
		if n > 1000 {
			t.Fatal("nothing comes")
		}
		publish(t, b, Event("session.updated", "b", n))
		time.Sleep(20 * time.Millisecond)
	}
	publish(t, b, series("a", 4, 6)...)
	for _, in := range []*inbox{one, two} {
		for deadline := time.Now().Add(patience); ; time.Sleep(quick) {
			var numbers []int
			for _, e := range in.got() {
				if e.GetKey() == "a" {
					numbers = append(numbers, number(e))
				}
			}
			if len(numbers) == 3 {
				want(t, numbers, []int{4, 5, 6})
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("got %v", numbers)
			}
		}
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
	// That it stands is seen by what comes; other groups tell nothing of it.
	for n := 10; len(in.got()) == 0; n++ {
		if n > 1000 {
			t.Fatal("nothing comes")
		}
		publish(t, b, Event("session.updated", "a", n))
		time.Sleep(20 * time.Millisecond)
	}
	leave()
	publish(t, b, series("b", 2001, 2003)...)
	later := newInbox()
	subscribe(t, b, sub, later.handle)
	for deadline := time.Now().Add(patience); ; time.Sleep(quick) {
		var numbers []int
		for _, e := range later.got() {
			if e.GetKey() == "b" {
				numbers = append(numbers, number(e))
			}
		}
		if len(numbers) == 3 {
			want(t, numbers, []int{2001, 2002, 2003})
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v", later.numbers())
		}
	}
	for _, n := range in.numbers() {
		if n < 10 {
			t.Errorf("got %d, which is older", n)
		}
	}
}

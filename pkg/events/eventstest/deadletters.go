package eventstest

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

// letters waits until there are n dead letters of a group.
func letters(t *testing.T, b events.Broker, group string, n int) []*events.DeadLetter {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(quick) {
		list, err := b.DeadLetters(t.Context(), group, "", 100)
		if err == nil && len(list) == n {
			return list
		}
		if time.Now().After(deadline) {
			t.Fatalf("dead letters %v, %v; want %d", list, err, n)
		}
	}
}

func poison(t *testing.T, h Harness) {
	b := h.Open(t)
	var mended atomic.Bool
	in := newInbox()
	in.refuse = func(e *events.Event, _ int) error {
		if (number(e) == 2 || number(e) == 4) && !mended.Load() {
			return errors.New("cannot digest this: \xff\x00") // as an error may quote what it was given
		}
		return nil
	}
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest, MaxAttempts: 3, Backoff: quick}, in.handle)
	publish(t, b, series("a", 1, 5)...)
	in.await(t, 3)
	want(t, in.numbers(), []int{1, 3, 5})
	list := letters(t, b, "readers", 2)
	for i, letter := range list {
		if letter.GetConsumer() != "readers" || letter.GetAttempts() != 3 || letter.GetError() != "cannot digest this: \uFFFD\uFFFD" ||
			number(letter.GetEvent()) != 2+2*i || letter.GetId() == "" || letter.GetTime() == nil {
			t.Errorf("dead letter %v", letter)
		}
	}
	if more, err := b.DeadLetters(t.Context(), "", list[0].GetId(), 1); err != nil || len(more) != 1 || more[0].GetId() != list[1].GetId() {
		t.Errorf("the second page is %v, %v", more, err)
	}
	if others, err := b.DeadLetters(t.Context(), "others", "", 10); err != nil || len(others) != 0 {
		t.Errorf("another group has %v, %v", others, err)
	}

	mended.Store(true)
	if n, err := b.Requeue(t.Context(), []string{list[0].GetId(), "not-there"}); n != 1 || err != nil {
		t.Fatalf("Requeue = %d, %v", n, err)
	}
	in.await(t, 4)
	if got := in.numbers(); !slices.Contains(got, 2) {
		t.Errorf("got %v", got)
	}
	letters(t, b, "readers", 1)
	if n, err := b.Discard(t.Context(), []string{list[1].GetId()}); n != 1 || err != nil {
		t.Fatalf("Discard = %d, %v", n, err)
	}
	letters(t, b, "", 0)
}

func rejected(t *testing.T, h Harness) {
	b := h.Open(t)
	in := newInbox()
	in.refuse = func(e *events.Event, _ int) error {
		if number(e) == 1 {
			return events.Reject(errors.New("of no use"))
		}
		if number(e) == 2 {
			panic("a bug")
		}
		return nil
	}
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest, MaxAttempts: 2, Backoff: quick}, in.handle)
	publish(t, b, series("a", 1, 3)...)
	in.await(t, 1)
	list := letters(t, b, "readers", 2)
	if list[0].GetAttempts() != 1 || list[1].GetAttempts() != 2 || !strings.Contains(list[1].GetError(), "a bug") {
		t.Errorf("dead letters %v", list)
	}
}

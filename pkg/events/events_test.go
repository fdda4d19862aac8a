package events_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, subject string
		want             bool
	}{
		{"session.ended", "session.ended", true},
		{"session.*", "session.ended", true},
		{"*.ended", "session.ended", true},
		{">", "session.ended", true},
		{"session.>", "session.ended", true},
		{"session.>", "session", false},
		{"session.*", "session.ended.late", false},
		{"session", "session.ended", false},
		{"session.ended", "session", false},
		{"request.*", "session.ended", false},
		{"*", "session.ended", false},
		{">", "", false},
	} {
		if got := events.Match(test.pattern, test.subject); got != test.want {
			t.Errorf("Match(%q, %q) = %v", test.pattern, test.subject, got)
		}
	}
	for _, pattern := range []string{"", "a..b", "a.", "a*.b", ">.a", "a b"} {
		if events.CheckPattern(pattern) == nil {
			t.Errorf("%q was taken", pattern)
		}
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	ctx := callctx.With(t.Context(), callctx.Call{RequestID: "rid", Principal: callctx.Principal{ID: "me"}})
	record := events.NewRecorder("session").Record(ctx,
		events.Draft{Type: "session.created", Key: "s", Payload: &sessionv1.SessionCreated{SessionId: "s"}},
		events.Draft{Type: "session.ended", Key: "s\xff", Owner: "you", Payload: &sessionv1.SessionEnded{SessionId: "s\xff"}})
	list, err := readRecord(record)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	first, second := list[0], list[1]
	if first.GetOwner() != "me" || first.GetCausationId() != "rid" || first.GetCorrelationId() != "rid" || first.GetSource() != "session" ||
		first.GetVersion() != 1 || first.GetPayload().MessageName() != "gptmesh.session.v1.SessionCreated" {
		t.Error(first)
	}
	if second.GetOwner() != "you" || second.GetCausationId() != first.GetId() || second.GetKey() != "s\uFFFD" || second.GetCorrelationId() != "rid" {
		t.Error(second)
	}
	for n := 1; n < len(record); n++ {
		if _, err := readRecord(record[:n]); err == nil && n != len(events.AppendRecord(nil, first)) {
			t.Fatalf("%d of %d bytes were taken for a record", n, len(record))
		}
	}
	var off *events.Recorder
	if off.Record(ctx, events.Draft{}) != nil {
		t.Error("events that are off were recorded")
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	sub, err := events.Subscription{MaxAttempts: 3, Backoff: time.Nanosecond}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	for name, test := range map[string]struct {
		handle   func(n int) error
		attempts int
		fails    bool
	}{
		"at once": {func(int) error { return nil }, 1, false},
		"later": {func(n int) error {
			if n < 3 {
				return no
			}
			return nil
		}, 3, false},
		"never":    {func(int) error { return no }, 3, true},
		"rejected": {func(int) error { return events.Reject(no) }, 1, true},
		"panics":   {func(int) error { panic("bug") }, 3, true},
	} {
		n := 0
		attempts, err := events.Deliver(t.Context(), sub, nil, 0, func(context.Context, *events.Event) error { n++; return test.handle(n) })
		if attempts != test.attempts || n != attempts || (err != nil) != test.fails {
			t.Errorf("%s: %d attempts, %d calls, %v", name, attempts, n, err)
		}
	}
	if _, err := (events.Subscription{Group: "a.b"}).WithDefaults(); err == nil {
		t.Error("a group with a dot was taken")
	}
}

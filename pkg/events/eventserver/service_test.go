package eventserver

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

func open(t *testing.T) (*Service, eventv1.EventServiceCaller) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "events.db"), Synchronous: sqlite.Off})
	if err != nil {
		t.Fatal(err)
	}
	lite, _ := embedded.Migrations()
	if _, err := db.Migrate(t.Context(), lite); err != nil {
		t.Fatal(err)
	}
	log, err := embedded.New(embedded.Config{}, embedded.Deps{SQLite: db})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(log.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	s := New(log, log)
	return s, eventv1.LocalEventService(s, nil)
}

func as(t *testing.T, owner string) context.Context {
	return callctx.With(t.Context(), callctx.Call{RequestID: "rid", Principal: callctx.Principal{ID: owner, Kind: callctx.Key}})
}

func asRoom(t *testing.T) context.Context {
	return callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "room:request", Kind: callctx.Room, Internal: true}})
}

func event(t *testing.T, id, kind string) *eventv1.Event {
	payload, err := anypb.New(&structpb.Struct{})
	if err != nil {
		t.Fatal(err)
	}
	return &eventv1.Event{Id: id, Type: kind, Key: "k", Payload: payload}
}

// read returns what is there for a caller, with the cursors.
func read(t *testing.T, ctx context.Context, c eventv1.EventServiceCaller, req *eventv1.SubscribeRequest) (ids, cursors []string) {
	t.Helper()
	req.UntilNow = true
	if req.Start == nil {
		req.Start = &eventv1.Start{At: &eventv1.Start_Earliest{Earliest: true}}
	}
	if err := c.Subscribe(ctx, req, func(m *eventv1.SubscribeResponse) error {
		if m.GetEvent() != nil {
			ids, cursors = append(ids, m.GetEvent().GetId()), append(cursors, m.GetCursor())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids, cursors
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestOwnersAreApart(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	me, you := as(t, "key:me"), as(t, "key:you")
	publish := func(ctx context.Context, ids ...string) {
		for _, id := range ids {
			if _, err := c.Publish(ctx, &eventv1.PublishRequest{Events: []*eventv1.Event{event(t, id, "acme.done")}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(me, "a", "b")
	publish(you, "c", "a") // an id is its owner's
	publish(me, "a")       // and taken once
	mine, cursors := read(t, me, c, &eventv1.SubscribeRequest{Consumer: "worker"})
	equal(t, mine, "a", "b")
	yours, _ := read(t, you, c, &eventv1.SubscribeRequest{})
	equal(t, yours, "c", "a")
	all, _ := read(t, asRoom(t), c, &eventv1.SubscribeRequest{})
	equal(t, all, "a", "b", "c", "a")

	// The consumer goes on behind what it acknowledged; another's is another's.
	if _, err := c.Acknowledge(me, &eventv1.AcknowledgeRequest{Consumer: "worker", Cursor: cursors[0]}); err != nil {
		t.Fatal(err)
	}
	left, _ := read(t, me, c, &eventv1.SubscribeRequest{Consumer: "worker"})
	equal(t, left, "b")
	if _, err := c.Acknowledge(you, &eventv1.AcknowledgeRequest{Consumer: "worker", Cursor: cursors[1]}); fault.From(err).Field() != "consumer" {
		t.Errorf("another's consumer: %v", err)
	}

	// A dead letter is its owner's, comes back when requeued, and is gone when
	// acknowledged.
	rejected, err := c.Reject(me, &eventv1.RejectRequest{Consumer: "worker", Cursor: cursors[1], Error: "no use"})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{rejected.GetDeadLetterId()}
	if list, err := c.ListDeadLetters(you, &eventv1.ListDeadLettersRequest{}); err != nil || len(list.GetDeadLetters()) != 0 {
		t.Errorf("another's dead letters: %v, %v", list, err)
	}
	if n, err := c.RequeueDeadLetters(you, &eventv1.RequeueDeadLettersRequest{Ids: ids}); err != nil || n.GetRequeued() != 0 {
		t.Errorf("another requeued %v, %v", n, err)
	}
	list, err := c.ListDeadLetters(me, &eventv1.ListDeadLettersRequest{Consumer: "worker"})
	if err != nil || len(list.GetDeadLetters()) != 1 || list.GetDeadLetters()[0].GetEvent().GetId() != "b" || list.GetDeadLetters()[0].GetError() != "no use" {
		t.Fatalf("%v, %v", list, err)
	}
	if n, err := c.RequeueDeadLetters(me, &eventv1.RequeueDeadLettersRequest{Ids: ids}); err != nil || n.GetRequeued() != 1 {
		t.Fatalf("%v, %v", n, err)
	}
	// Another who knows its id can neither take it nor give it up.
	putBack := "dead~" + ids[0]
	if _, err := c.Acknowledge(you, &eventv1.AcknowledgeRequest{Consumer: "worker", Cursor: putBack}); err != nil {
		t.Error(err)
	}
	if _, err := c.Reject(you, &eventv1.RejectRequest{Consumer: "worker", Cursor: putBack, Error: "mine"}); fault.From(err).Field() != "cursor" {
		t.Errorf("another gave it up: %v", err)
	}
	ctx, cancel := context.WithTimeout(me, 30*time.Second)
	defer cancel()
	err = c.Subscribe(ctx, &eventv1.SubscribeRequest{Consumer: "worker"}, func(m *eventv1.SubscribeResponse) error {
		if m.GetEvent() == nil {
			return nil
		}
		if m.GetEvent().GetId() != "b" {
			t.Errorf("came %v", m.GetEvent())
		}
		if _, err := c.Acknowledge(ctx, &eventv1.AcknowledgeRequest{Consumer: "worker", Cursor: m.GetCursor()}); err != nil {
			t.Error(err)
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if n, err := c.DiscardDeadLetters(me, &eventv1.DiscardDeadLettersRequest{Ids: ids}); err != nil || n.GetDiscarded() != 0 {
		t.Errorf("what was handled is still there: %v, %v", n, err)
	}
}

func TestReplayAndRefusals(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	me := as(t, "key:me")
	if _, err := c.Publish(me, &eventv1.PublishRequest{Events: []*eventv1.Event{event(t, "a", "acme.done"), event(t, "b", "acme.begun")}}); err != nil {
		t.Fatal(err)
	}
	start := &eventv1.Start{At: &eventv1.Start_Earliest{Earliest: true}}
	out, err := c.Replay(me, &eventv1.ReplayRequest{Start: start, Subjects: []string{"acme.done"}, Target: &eventv1.ReplayRequest_Type{Type: "replay.done"}})
	if err != nil || out.GetCopied() != 1 {
		t.Fatal(out, err)
	}
	if ids, _ := read(t, me, c, &eventv1.SubscribeRequest{Subjects: []string{"replay.*"}}); len(ids) != 1 || ids[0] == "a" {
		t.Errorf("copies %v", ids)
	}
	after := &eventv1.Start{At: &eventv1.Start_AfterId{AfterId: "a"}}
	if _, err := c.Replay(me, &eventv1.ReplayRequest{Start: after, Target: &eventv1.ReplayRequest_Consumer{Consumer: "w"}}); err != nil {
		t.Fatal(err)
	}
	if ids, _ := read(t, me, c, &eventv1.SubscribeRequest{Consumer: "w", Subjects: []string{"acme.*"}}); len(ids) != 1 || ids[0] != "b" {
		t.Errorf("the consumer goes on at %v", ids)
	}
	publish := func(e *eventv1.Event) error {
		_, err := c.Publish(me, &eventv1.PublishRequest{Events: []*eventv1.Event{e}})
		return err
	}
	for field, err := range map[string]error{
		"events.0.type":    publish(event(t, "", "session.ended")),
		"events.0.payload": publish(&eventv1.Event{Type: "acme.done"}),
		"cursor": func() error {
			_, err := c.Acknowledge(me, &eventv1.AcknowledgeRequest{Consumer: "w", Cursor: "!"})
			return err
		}(),
		"start.after_id": c.Subscribe(me, &eventv1.SubscribeRequest{Start: &eventv1.Start{At: &eventv1.Start_AfterId{AfterId: "evt_none"}}},
			func(*eventv1.SubscribeResponse) error { return nil }),
		"subjects": c.Subscribe(me, &eventv1.SubscribeRequest{Subjects: []string{"a..b"}}, func(*eventv1.SubscribeResponse) error { return nil }),
	} {
		if f := fault.From(err); f.Code != codes.InvalidArgument || f.Field() != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	// A process that stops ends its streams.
	stood := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- c.Subscribe(me, &eventv1.SubscribeRequest{}, func(*eventv1.SubscribeResponse) error { close(stood); return nil })
	}()
	<-stood
	_ = s.Drain(t.Context())
	if err := <-ended; fault.From(err).Code != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
}

// A second stream of a consumer ends the first, which says so.
func TestOneStreamReadsAsAConsumer(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	me := as(t, "key:me")
	stood, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- c.Subscribe(me, &eventv1.SubscribeRequest{Consumer: "w"}, func(*eventv1.SubscribeResponse) error { close(stood); return nil })
	}()
	<-stood
	if err := c.Subscribe(me, &eventv1.SubscribeRequest{Consumer: "w", UntilNow: true}, func(*eventv1.SubscribeResponse) error { return nil }); err != nil {
		t.Error(err)
	}
	err := <-ended
	if f := fault.From(err); f.Code != codes.Aborted || f.Reason != meshv1.ErrorReason_ERROR_REASON_CONSUMER_TAKEN || f.Metadata["consumer"] != "w" {
		t.Errorf("the first stream ended with %v", err)
	}
}

// deadBroker is a broker that has dead letters and nothing else.
type deadBroker struct {
	events.Broker
	all events.Letters
}

func (b deadBroker) DeadLetters(_ context.Context, group, after string, limit int) ([]*events.DeadLetter, error) {
	return b.all.Page(group, after, limit), nil
}

// Pages go through the dead letters of both brokers, whatever their ids are like.
func TestDeadLettersOfTwoBrokers(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	me := as(t, "key:me")
	other := deadBroker{all: events.Letters{}}
	for _, id := range []string{"dead-1", "dead-2"} { // they sort before those of the log
		other.all[id] = &events.DeadLetter{Id: id, Consumer: "w", Event: &events.Event{Id: "x", Owner: "key:me"}}
	}
	s.groups = other
	for _, id := range []string{"a", "b"} {
		if _, err := c.Publish(me, &eventv1.PublishRequest{Events: []*eventv1.Event{event(t, id, "acme.done")}}); err != nil {
			t.Fatal(err)
		}
	}
	_, cursors := read(t, me, c, &eventv1.SubscribeRequest{Consumer: "w"})
	var want []string
	for _, cursor := range cursors {
		rejected, err := c.Reject(me, &eventv1.RejectRequest{Consumer: "w", Cursor: cursor, Error: "no use"})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, rejected.GetDeadLetterId())
	}
	want = append(want, "dead-1", "dead-2")
	for size := int32(1); size <= 5; size++ {
		var got []string
		for token, first := "", true; first || token != ""; first = false {
			page, err := c.ListDeadLetters(me, &eventv1.ListDeadLettersRequest{PageSize: size, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, letter := range page.GetDeadLetters() {
				got = append(got, letter.GetId())
			}
			token = page.GetNextPageToken()
		}
		equal(t, got, want...)
	}
	if _, err := c.ListDeadLetters(me, &eventv1.ListDeadLettersRequest{PageToken: page.Token("", "7 dead-1")}); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_INVALID_PAGE_TOKEN) {
		t.Errorf("a token of a broker that is not there: %v", err)
	}
}

// A room hears of another process's events, and says what it could not handle.
func TestRemote(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	r := &Remote{Service: c, Room: "request", Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan string, 9), make(chan error, 1)
	go func() {
		done <- r.Subscribe(ctx, events.Subscription{Group: "g", Start: events.Start{Earliest: true}}, func(_ context.Context, e *events.Event) error {
			if e.GetId() == "bad" {
				return events.Reject(errors.New("no use"))
			}
			got <- e.GetId()
			return nil
		})
	}()
	for _, id := range []string{"a", "bad", "b"} {
		if _, err := c.Publish(as(t, "key:me"), &eventv1.PublishRequest{Events: []*eventv1.Event{event(t, id, "acme.done")}}); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, []string{<-got, <-got}, "a", "b")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	list, err := c.ListDeadLetters(as(t, "key:me"), &eventv1.ListDeadLettersRequest{})
	if err != nil || len(list.GetDeadLetters()) != 1 {
		t.Errorf("dead letters %v, %v", list, err)
	}
}

// Of two that read as one group elsewhere, the one that is ended leaves it to the
// other, and comes back in time.
func TestRemoteLeavesItToAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Time
		taken := fault.New(codes.Aborted, meshv1.ErrorReason_ERROR_REASON_CONSUMER_TAKEN, "taken", "consumer", "g")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := &Remote{Room: "request", Logger: slog.New(slog.DiscardHandler), Service: subscribing{subscribe: func() error {
			if calls = append(calls, time.Now()); len(calls) == 3 {
				cancel()
			}
			return taken
		}}}
		if err := r.Subscribe(ctx, events.Subscription{Group: "g"}, func(context.Context, *events.Event) error { return nil }); err != nil {
			t.Error(err)
		}
		if len(calls) != 3 || calls[1].Sub(calls[0]) != lastReconnect || calls[2].Sub(calls[1]) != lastReconnect {
			t.Errorf("called at %v", calls)
		}
	})
}

// subscribing is another process's service that is subscribed to and nothing else.
type subscribing struct {
	eventv1.EventServiceCaller
	subscribe func() error
}

func (s subscribing) Subscribe(context.Context, *eventv1.SubscribeRequest, func(*eventv1.SubscribeResponse) error) error {
	return s.subscribe()
}

package request

import (
	"context"
	"testing"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// sessionEvent is what the session room tells.
func sessionEvent(kind, id string, payload proto.Message) *events.Event {
	packed, err := anypb.New(payload)
	if err != nil {
		panic(err)
	}
	return &events.Event{
		Id: ids.New("evt"), Type: kind, Version: 1, Time: timestamppb.Now(), Owner: "local", Key: id, Source: "session", Payload: packed,
	}
}

// TestEndedSessionsAreHeardOf has two processes on one database. The session
// room cannot be asked, so that a refusal can come from the event alone.
func TestEndedSessionsAreHeardOf(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	response, session := responsetest.New(), sessiontest.New()
	open := func(schema string) *postgres.DB {
		db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: schema, MaxConns: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}
	type process struct {
		*world
		log *embedded.Broker
	}
	replica := func() process {
		own, rows := open("events"), open("request")
		_, pg := embedded.Migrations()
		if _, err := own.Migrate(t.Context(), pg); err != nil {
			t.Fatal(err)
		}
		_, forPostgres := Migrations()
		if _, err := rows.Migrate(t.Context(), forPostgres); err != nil {
			t.Fatal(err)
		}
		log, err := embedded.New(embedded.Config{}, embedded.Deps{Postgres: own})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, response: response, session: session}
		if w.Service, err = New(DefaultConfig(), Deps{
			Postgres: rows, Subscriber: log, Codec: codec,
			Response: responsev1.LocalResponseService(response, nil), Session: sessionv1.LocalSessionService(session, nil),
		}); err != nil {
			t.Fatal(err)
		}
		w.caller = requestv1.LocalRequestService(w.Service, nil)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		})
		return process{w, log}
	}
	both := []process{replica(), replica()}
	both[0].newSession("s", "")
	refused := func(p process) bool {
		req := ask("hi")
		req.SessionId = "s"
		session.Fail("GetContext", fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "away"))
		_, err := p.joinSession(t.Context(), req.GetTurn(), "s")
		return err != nil && reason(err) == "SESSION_ENDED"
	}
	publish := func(p process, e *events.Event) {
		if _, err := p.log.Publish(t.Context(), []*events.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range both {
		if refused(p) {
			t.Fatal("a session that goes on was refused")
		}
	}
	// A subscription that has just begun hears what is told from then on.
	for _, p := range both {
		for deadline := time.Now().Add(30 * time.Second); !refused(p); time.Sleep(20 * time.Millisecond) {
			publish(both[1], sessionEvent("session.ended", "s", &sessionv1.SessionEnded{SessionId: "s", State: sessionv1.Session_STATE_ENDED}))
			if time.Now().After(deadline) {
				t.Fatal("the end was not heard of")
			}
		}
	}
	publish(both[0], sessionEvent("session.ended", "s", &sessionv1.SessionEnded{SessionId: "s", Deleted: true}))
	for _, p := range both {
		eventually(t, "the id can be used again", func() bool { return !refused(p) })
	}
}

// What was heard of a session counts as long as the session room cannot be asked:
// it knows first of a deletion, and of a session under the same id.
func TestTheSessionRoomKnowsBetter(t *testing.T) {
	t.Parallel()
	e := newEndedSessions()
	away := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "away")
	gone := fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND, "gone")
	over := fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_SESSION_ENDED, "over")
	const ended = "SESSION_ENDED"
	for _, c := range []struct {
		said error
		want string
		then string // where it then cannot be asked
	}{{away, ended, ended}, {over, ended, ended}, {gone, "SESSION_NOT_FOUND", "ROOM_UNAVAILABLE"}, {nil, "", "ROOM_UNAVAILABLE"}} {
		e.add(sessionName{"me", "s"}, sessionv1.Session_STATE_ENDED)
		for _, step := range []struct {
			said error
			want string
		}{{c.said, c.want}, {away, c.then}} {
			got := ""
			if err := e.judge("me", "s", step.said); err != nil {
				got = reason(err)
			}
			if got != step.want {
				t.Errorf("after %v a turn is told %q of %v, want %q", c.said, got, step.said, step.want)
			}
		}
	}
}

func TestEndedSessionsAreBounded(t *testing.T) {
	t.Parallel()
	e := newEndedSessions()
	for range 3 * maxEnded {
		e.add(sessionName{"me", ids.New("ses")}, sessionv1.Session_STATE_ENDED)
	}
	e.add(sessionName{"me", "last"}, sessionv1.Session_STATE_EXPIRED)
	if len(e.states) > maxEnded || len(e.order) > maxEnded {
		t.Errorf("%d states, %d names", len(e.states), len(e.order))
	}
	if e.refusal("you", "last") != nil || e.refusal("me", "last") == nil {
		t.Error("an end is its owner's alone")
	}
}

package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	invalidField    = meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD
	notFound        = meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND
	ended           = meshv1.ErrorReason_ERROR_REASON_SESSION_ENDED
	versionConflict = meshv1.ErrorReason_ERROR_REASON_VERSION_CONFLICT
	alreadyExists   = meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS
)

func preferences(t testing.TB, values map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCreate(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		now := r.clock.Now()
		resp, err := r.CreateSession(as(t, "me"), &sessionv1.CreateSessionRequest{})
		if err != nil {
			t.Fatal(err)
		}
		got := resp.GetSession()
		if !strings.HasPrefix(got.GetId(), "ses_") {
			t.Errorf("id %q", got.GetId())
		}
		same(t, got, &sessionv1.Session{
			Id: got.GetId(), UserId: "default", Owner: "me", State: sessionv1.Session_STATE_ACTIVE, Version: 1,
			CreateTime: timestamppb.New(now), UpdateTime: timestamppb.New(now), LastActiveTime: timestamppb.New(now),
			IdleTimeout: durationpb.New(30 * time.Minute), ExpireTime: timestamppb.New(now.Add(30 * 24 * time.Hour)),
		})
		same(t, r.get(t, got.GetId()), got)

		full := &sessionv1.CreateSessionRequest{
			SessionId: "mine", UserId: "u",
			Session: &sessionv1.Session{
				Title: "T", Preferences: preferences(t, map[string]any{"a": 1}), Metadata: map[string]string{"k": "v"},
				IdleTimeout: durationpb.New(time.Minute), ExpireTime: timestamppb.New(now.Add(time.Hour)),
				Version: 77, Owner: "ignored", State: sessionv1.Session_STATE_ENDED,
			},
			Messages: []*conversationv1.Message{user("a", "hello"), user("", "world")},
		}
		resp, err = r.CreateSession(as(t, "me"), full)
		if err != nil {
			t.Fatal(err)
		}
		want := resp.GetSession()
		same(t, []any{want.GetVersion(), want.GetMessageCount(), want.GetTitle(), want.GetState()}, []any{int64(2), int64(2), "T", sessionv1.Session_STATE_ACTIVE})
		same(t, want.GetPreferences(), full.GetSession().GetPreferences())

		again, err := r.CreateSession(as(t, "me"), full)
		if err != nil {
			t.Fatal(err)
		}
		same(t, again.GetSession(), want)
		same(t, len(r.history(t, "mine")), 2)
		r.clock.Add(2 * time.Hour) // past the asked expire_time: still the same request
		if _, err = r.CreateSession(as(t, "me"), full); err != nil {
			t.Fatal(err)
		}
		_, err = r.CreateSession(as(t, "me"), &sessionv1.CreateSessionRequest{SessionId: "mine", UserId: "u"})
		refused(t, err, alreadyExists, "")
		_, err = r.CreateSession(as(t, "you"), &sessionv1.CreateSessionRequest{SessionId: "mine"})
		refused(t, err, alreadyExists, "")
	})
}

func TestSessionsOfOneUserStaySeparate(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "one", user("m", "in one"))
		r.create(t, "two", user("m", "in two"))
		r.append(t, "one", user("n", "more"))
		if _, err := r.EndSession(as(t, "me"), &sessionv1.EndSessionRequest{SessionId: "two"}); err != nil {
			t.Fatal(err)
		}
		same(t, r.history(t, "one"), []string{"m", "n"})
		same(t, r.history(t, "two"), []string{"m"})
		same(t, r.get(t, "one").GetState(), sessionv1.Session_STATE_ACTIVE)
	})
}

// TestOwnerIsolation calls every RPC on a session of somebody else.
func TestOwnerIsolation(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		before := r.create(t, "mine", user("m", "secret"))
		ctx := as(t, "you")
		calls := map[string]func() error{
			"GetSession": func() error { _, err := r.GetSession(ctx, &sessionv1.GetSessionRequest{SessionId: "mine"}); return err },
			"UpdateSession": func() error {
				_, err := r.UpdateSession(ctx, &sessionv1.UpdateSessionRequest{Session: &sessionv1.Session{Id: "mine", Title: "x"}})
				return err
			},
			"EndSession": func() error { _, err := r.EndSession(ctx, &sessionv1.EndSessionRequest{SessionId: "mine"}); return err },
			"DeleteSession": func() error {
				_, err := r.DeleteSession(ctx, &sessionv1.DeleteSessionRequest{SessionId: "mine"})
				return err
			},
			"AppendMessages": func() error {
				_, err := r.AppendMessages(ctx, &sessionv1.AppendMessagesRequest{SessionId: "mine", Messages: []*conversationv1.Message{user("m", "secret")}})
				return err
			},
			"ListMessages": func() error {
				_, err := r.ListMessages(ctx, &sessionv1.ListMessagesRequest{SessionId: "mine"})
				return err
			},
			"GetContext": func() error { _, err := r.GetContext(ctx, &sessionv1.GetContextRequest{SessionId: "mine"}); return err },
			"ForkSession": func() error {
				_, err := r.ForkSession(ctx, &sessionv1.ForkSessionRequest{SessionId: "mine"})
				return err
			},
			"WatchSession": func() error {
				return r.WatchSession(ctx, &sessionv1.WatchSessionRequest{SessionId: "mine"}, func(*sessionv1.WatchSessionResponse) error { return nil })
			},
		}
		for name, call := range calls {
			t.Run(name, func(t *testing.T) { refused(t, call(), notFound, "") })
		}
		t.Run("ListSessions", func(t *testing.T) {
			resp, err := r.ListSessions(ctx, &sessionv1.ListSessionsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			same(t, len(resp.GetSessions()), 0)
		})
		t.Run("CreateSession", func(t *testing.T) {
			_, err := r.CreateSession(ctx, &sessionv1.CreateSessionRequest{SessionId: "mine"})
			refused(t, err, alreadyExists, "")
		})
		methods := sessionv1.SessionService_ServiceDesc
		same(t, len(calls)+2, len(methods.Methods)+len(methods.Streams))
		same(t, r.get(t, "mine"), before)
	})
}

func TestStates(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		state := func() sessionv1.Session_State { return r.get(t, "s").GetState() }
		listed := func(states ...sessionv1.Session_State) int {
			resp, err := r.ListSessions(as(t, "me"), &sessionv1.ListSessionsRequest{States: states})
			if err != nil {
				t.Fatal(err)
			}
			return len(resp.GetSessions())
		}
		r.create(t, "s", user("a", "x"))
		r.clock.Add(30*time.Minute - 1*time.Microsecond)
		same(t, state(), sessionv1.Session_STATE_ACTIVE)
		r.clock.Add(time.Microsecond)
		same(t, state(), sessionv1.Session_STATE_IDLE)
		same(t, listed(sessionv1.Session_STATE_IDLE), 1)

		resp, err := r.GetContext(as(t, "me"), &sessionv1.GetContextRequest{SessionId: "s"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, resp.GetSession().GetState(), sessionv1.Session_STATE_ACTIVE)
		same(t, state(), sessionv1.Session_STATE_ACTIVE)
		same(t, listed(sessionv1.Session_STATE_ACTIVE), 1)
		same(t, r.get(t, "s").GetVersion(), int64(2))

		r.clock.Add(time.Hour)
		same(t, state(), sessionv1.Session_STATE_IDLE)
		same(t, r.append(t, "s", user("b", "x")).GetSession().GetState(), sessionv1.Session_STATE_ACTIVE)
		same(t, state(), sessionv1.Session_STATE_ACTIVE)

		r.clock.Add(30 * 24 * time.Hour)
		same(t, state(), sessionv1.Session_STATE_EXPIRED)
		expired := r.get(t, "s")
		same(t, expired.GetVersion(), int64(4))
		same(t, expired.GetEndTime(), expired.GetExpireTime())
		same(t, listed(sessionv1.Session_STATE_EXPIRED), 1)
		same(t, listed(sessionv1.Session_STATE_ACTIVE, sessionv1.Session_STATE_IDLE, sessionv1.Session_STATE_ENDED), 0)
		_, err = r.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: "s", Messages: []*conversationv1.Message{user("c", "x")}})
		refused(t, err, ended, "")
		same(t, fault.From(err).Metadata["state"], "STATE_EXPIRED")
	})
}

func TestEnd(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "s", user("a", "x"))
		end := func() *sessionv1.Session {
			resp, err := r.EndSession(as(t, "me"), &sessionv1.EndSessionRequest{SessionId: "s"})
			if err != nil {
				t.Fatal(err)
			}
			return resp.GetSession()
		}
		first := end()
		same(t, []any{first.GetState(), first.GetVersion()}, []any{sessionv1.Session_STATE_ENDED, int64(3)})
		same(t, first.GetEndTime(), timestamppb.New(r.clock.Now()))
		r.clock.Add(time.Hour)
		same(t, end(), first)
		r.clock.Add(365 * 24 * time.Hour)
		same(t, r.get(t, "s"), first) // does not expire as well

		_, err := r.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: "s", Messages: []*conversationv1.Message{user("a", "x"), user("b", "y")}})
		refused(t, err, ended, "")
		_, err = r.GetContext(as(t, "me"), &sessionv1.GetContextRequest{SessionId: "s"})
		refused(t, err, ended, "")
		_, err = r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: &sessionv1.Session{Id: "s", Title: "x"}})
		refused(t, err, ended, "")
		same(t, r.append(t, "s", user("a", "x")).GetSession(), first) // a repeated call
		same(t, r.history(t, "s"), []string{"a"})
		_, err = r.ForkSession(as(t, "me"), &sessionv1.ForkSessionRequest{SessionId: "s"})
		if err != nil {
			t.Errorf("fork of an ended session: %v", err)
		}
		_, err = r.EndSession(as(t, "me"), &sessionv1.EndSessionRequest{SessionId: "nobody"})
		refused(t, err, notFound, "")
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "s", user("a", "x"))
		remove := func() error {
			_, err := r.DeleteSession(as(t, "me"), &sessionv1.DeleteSessionRequest{SessionId: "s"})
			return err
		}
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		refused(t, remove(), notFound, "")
		_, err := r.GetSession(as(t, "me"), &sessionv1.GetSessionRequest{SessionId: "s"})
		refused(t, err, notFound, "")
		same(t, r.create(t, "s").GetVersion(), int64(1)) // the id is free again
		same(t, len(r.history(t, "s")), 0)
	})
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		created := r.create(t, "s", user("a", "x"))
		update := func(values *sessionv1.Session, paths ...string) (*sessionv1.Session, error) {
			values.Id = "s"
			resp, err := r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: values, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
			return resp.GetSession(), err
		}
		must := func(s *sessionv1.Session, err error) *sessionv1.Session {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		r.clock.Add(time.Second)
		s := must(update(&sessionv1.Session{Title: "T", Preferences: preferences(t, map[string]any{"a": 1, "b": map[string]any{"c": 1, "d": 2}}), Metadata: map[string]string{"k": "v"}}))
		same(t, []any{s.GetTitle(), s.GetVersion(), s.GetMetadata()}, []any{"T", int64(3), map[string]string{"k": "v"}})
		same(t, s.GetUpdateTime(), timestamppb.New(r.clock.Now()))

		s = must(update(&sessionv1.Session{Preferences: preferences(t, map[string]any{"a": nil, "b": map[string]any{"e": 3}, "f": true})}, "preferences"))
		same(t, s.GetPreferences(), preferences(t, map[string]any{"b": map[string]any{"e": 3}, "f": true}))
		s = must(update(&sessionv1.Session{Preferences: preferences(t, map[string]any{"f": 1, "g.h": 2, "i": 3})}, "preferences.g.h", "preferences.b"))
		same(t, s.GetPreferences(), preferences(t, map[string]any{"f": true, "g.h": 2}))
		same(t, []any{s.GetTitle(), s.GetVersion()}, []any{"T", int64(5)})

		same(t, must(update(&sessionv1.Session{})).GetVersion(), int64(5))                           // nothing named
		same(t, must(update(&sessionv1.Session{Title: "T"}, "title")).GetVersion(), int64(5))        // no difference
		same(t, must(update(&sessionv1.Session{Title: "new"}, "metadata")).GetTitle(), "T")          // not in the mask
		same(t, len(must(update(&sessionv1.Session{}, "metadata")).GetMetadata()), 0)                // emptied
		same(t, must(update(&sessionv1.Session{}, "title")).GetTitle(), "")                          // emptied
		same(t, r.get(t, "s").GetPreferences(), preferences(t, map[string]any{"f": true, "g.h": 2})) // kept
		same(t, r.history(t, "s"), []string{"a"})                                                    // messages are never touched
		s = must(update(&sessionv1.Session{IdleTimeout: durationpb.New(time.Minute), ExpireTime: timestamppb.New(r.clock.Now().Add(time.Hour))}))
		same(t, s.GetIdleTimeout(), durationpb.New(time.Minute))
		s = must(update(&sessionv1.Session{}, "idle_timeout", "expire_time"))
		same(t, []any{s.GetIdleTimeout(), s.GetExpireTime()}, []any{created.GetIdleTimeout(), created.GetExpireTime()})

		for _, path := range []string{"state", "preferences.", "messages", "id", ""} {
			_, err := update(&sessionv1.Session{Title: "x"}, "title", path)
			refused(t, err, invalidField, "update_mask")
		}
		_, err := r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: &sessionv1.Session{Id: "s", Title: "x"}, ExpectedVersion: 2})
		refused(t, err, versionConflict, "")
		same(t, fault.From(err).Metadata["expected"], "2")
		_, err = r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: &sessionv1.Session{Id: "nobody", Title: "x"}})
		refused(t, err, notFound, "")
	})
}

func TestAppend(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "s")
		first := r.append(t, "s", user("a", "one"), user("", "two"), user("a", "other"))
		same(t, []any{first.GetSession().GetVersion(), first.GetSession().GetMessageCount()}, []any{int64(2), int64(2)})
		same(t, first.GetMessages()[2], first.GetMessages()[0])
		if id := first.GetMessages()[1].GetId(); !strings.HasPrefix(id, "msg_") {
			t.Errorf("id %q", id)
		}
		want := user("a", "one")
		want.CreateTime, want.Version = timestamppb.New(r.clock.Now()), 2
		same(t, first.GetMessages()[0], want)

		r.clock.Add(time.Second)
		again := r.append(t, "s", user("a", "other content"), user("b", "three"))
		same(t, again.GetMessages()[0], want) // left as stored
		same(t, again.GetSession().GetVersion(), int64(3))
		repeated := r.append(t, "s", user("b", "three"), user("a", "one"))
		same(t, repeated.GetMessages()[1], want)
		same(t, repeated.GetSession().GetVersion(), int64(3)) // changed nothing

		call := func(version int64, messages ...*conversationv1.Message) error {
			_, err := r.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: "s", ExpectedVersion: version, Messages: messages})
			return err
		}
		refused(t, call(2, user("c", "x")), versionConflict, "")
		if err := call(2, user("a", "x")); err != nil {
			t.Errorf("a repeated call must succeed whatever the version: %v", err)
		}
		if err := call(3, user("c", "x")); err != nil {
			t.Error(err)
		}
		before := r.get(t, "s")
		refused(t, call(0), invalidField, "messages")
		refused(t, call(0, user("d", "fine"), user("e", " \n\t")), invalidField, "messages[1].parts")
		refused(t, call(0, &conversationv1.Message{Role: conversationv1.Role_ROLE_USER}), invalidField, "messages[0].parts")
		refused(t, call(0, text("", conversationv1.Role_ROLE_UNSPECIFIED, "x")), invalidField, "messages[0].role")
		same(t, r.get(t, "s"), before) // all or none
	})
}

func TestFork(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "s", user("a", "1"), user("b", "2"))
		if _, err := r.UpdateSession(as(t, "me"), &sessionv1.UpdateSessionRequest{Session: &sessionv1.Session{Id: "s", Title: "T", Metadata: map[string]string{"k": "v"}}}); err != nil {
			t.Fatal(err)
		}
		r.append(t, "s", user("c", "3"))
		fork := func(req *sessionv1.ForkSessionRequest) (*sessionv1.Session, error) {
			req.SessionId = "s"
			resp, err := r.ForkSession(as(t, "me"), req)
			return resp.GetSession(), err
		}
		f, err := fork(&sessionv1.ForkSessionRequest{MessageId: "b", NewSessionId: "f", Title: "F"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, []any{f.GetTitle(), f.GetMetadata(), f.GetVersion(), f.GetMessageCount(), f.GetForkedFromSessionId(), f.GetForkedFromMessageId()},
			[]any{"F", map[string]string{"k": "v"}, int64(2), int64(2), "s", "b"})
		same(t, r.history(t, "f"), []string{"a", "b"})
		all, err := fork(&sessionv1.ForkSessionRequest{NewSessionId: "all"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, []any{all.GetTitle(), all.GetVersion(), all.GetForkedFromMessageId()}, []any{"T", int64(3), "c"})

		r.append(t, "s", user("d", "4"))
		r.append(t, "f", user("x", "5"))
		same(t, r.history(t, "s"), []string{"a", "b", "c", "d"})
		same(t, r.history(t, "f"), []string{"a", "b", "x"})
		again, err := fork(&sessionv1.ForkSessionRequest{MessageId: "b", NewSessionId: "f", Title: "F"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, r.get(t, "f"))
		_, err = fork(&sessionv1.ForkSessionRequest{MessageId: "a", NewSessionId: "f", Title: "F"})
		refused(t, err, alreadyExists, "")
		_, err = fork(&sessionv1.ForkSessionRequest{MessageId: "nobody"})
		refused(t, err, meshv1.ErrorReason_ERROR_REASON_MESSAGE_NOT_FOUND, "")
		_, err = r.ForkSession(as(t, "me"), &sessionv1.ForkSessionRequest{SessionId: "nobody"})
		refused(t, err, notFound, "")
	})
}

var errEnough = errors.New("enough")

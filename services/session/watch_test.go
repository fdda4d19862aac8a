package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/protobuf/proto"
)

// watch returns n changes of a session, or those until it is over.
func watch(ctx context.Context, r sessionv1.SessionServiceCaller, id string, after int64, n int) (got []*sessionv1.WatchSessionResponse, err error) {
	err = r.WatchSession(ctx, &sessionv1.WatchSessionRequest{SessionId: id, AfterVersion: after}, func(m *sessionv1.WatchSessionResponse) error {
		got = append(got, proto.CloneOf(m))
		if len(got) == n {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return got, err
}

func kinds(changes []*sessionv1.WatchSessionResponse) (list []string) {
	for _, c := range changes {
		line := strings.TrimPrefix(c.GetKind().String(), "KIND_") + " " + string(rune('0'+c.GetVersion()))
		for _, m := range c.GetMessages() {
			line += " " + m.GetId()
		}
		list = append(list, line)
	}
	return list
}

func TestWatchReplay(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		ctx := as(t, "me")
		r.create(t, "s", user("a", "1"), user("b", "2"))
		r.append(t, "s", user("c", "3"))
		if _, err := r.UpdateSession(ctx, &sessionv1.UpdateSessionRequest{Session: &sessionv1.Session{Id: "s", Title: "T"}}); err != nil {
			t.Fatal(err)
		}
		got, err := watch(ctx, r, "s", 0, 4)
		if err != nil {
			t.Fatal(err)
		}
		same(t, kinds(got), []string{"CREATED 1", "MESSAGES_APPENDED 2 a b", "MESSAGES_APPENDED 3 c", "UPDATED 4"})
		same(t, got[0].GetSession(), r.get(t, "s"))
		if _, err := r.EndSession(ctx, &sessionv1.EndSessionRequest{SessionId: "s"}); err != nil {
			t.Fatal(err)
		}
		if got, err = watch(ctx, r, "s", 3, 0); err != nil {
			t.Fatal(err)
		}
		same(t, kinds(got), []string{"UPDATED 4", "ENDED 5"})
		if got, err = watch(ctx, r, "s", 5, 0); err != nil || len(got) != 0 {
			t.Fatalf("after the end: %v, %v", got, err)
		}
		if _, err := r.DeleteSession(ctx, &sessionv1.DeleteSessionRequest{SessionId: "s"}); err != nil {
			t.Fatal(err)
		}
		if got, err = watch(ctx, r, "s", 0, 0); err != nil {
			t.Fatal(err)
		}
		same(t, got, []*sessionv1.WatchSessionResponse{{Kind: sessionv1.WatchSessionResponse_KIND_DELETED, Version: 6, Session: &sessionv1.Session{Id: "s"}}})
		_, err = watch(ctx, r, "never", 0, 0)
		refused(t, err, notFound, "")
	})
}

// TestWatchLive appends from many sides while many watch: each change arrives
// exactly once and in order.
func TestWatchLive(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "s")
		type result struct {
			got []*sessionv1.WatchSessionResponse
			err error
		}
		results := make(chan result)
		for range 4 {
			go func() {
				got, err := watch(as(t, "me"), r, "s", 0, 0)
				results <- result{got, err}
			}()
		}
		const writers, each = 4, 10
		done := make(chan error)
		for range writers {
			go func() {
				for range each {
					if _, err := r.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: "s", Messages: []*conversationv1.Message{user("", "x")}}); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range writers {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.EndSession(as(t, "me"), &sessionv1.EndSessionRequest{SessionId: "s"}); err != nil {
			t.Fatal(err)
		}
		history := r.history(t, "s")
		for range 4 {
			res := <-results
			if res.err != nil {
				t.Fatal(res.err)
			}
			var seen []string
			for i, c := range res.got {
				same(t, c.GetVersion(), int64(i+1))
				for _, m := range c.GetMessages() {
					seen = append(seen, m.GetId())
				}
			}
			same(t, len(res.got), writers*each+2)
			same(t, seen, history)
		}
	})
}

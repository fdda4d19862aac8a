package session_test

import (
	"fmt"
	"testing"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/protobuf/proto"
)

// TestSweepWhileTheClockIsSetBack: what was found to be due is written down, and
// not found again for as long as the clock is behind.
func TestSweepWhileTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	r := onSQLite(t, config(), true)
	const sessions = 120 // more than the sweeper takes at a time
	for i := range sessions {
		r.create(t, fmt.Sprint("s", i))
	}
	<-r.clock.Jump(31 * 24 * time.Hour) // by the sweeper: nobody else asks for the time
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		resp, err := r.ListSessions(as(t, "me"), &sessionv1.ListSessionsRequest{PageSize: 1000, States: []sessionv1.Session_State{sessionv1.Session_STATE_EXPIRED}})
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.GetSessions()) == sessions {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d of %d sessions were written down", len(resp.GetSessions()), sessions)
		}
	}
}

// TestEndedSessionsGo: what ended longer ago than it is kept is removed, and its
// watchers hear of it; what goes on stays.
func TestEndedSessionsGo(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Retention = time.Hour
	for name, open := range backends {
		if name == "fake" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, cfg)
			r.create(t, "s", user("m", "x"))
			r.create(t, "kept")
			if _, err := r.EndSession(as(t, "me"), &sessionv1.EndSessionRequest{SessionId: "s"}); err != nil {
				t.Fatal(err)
			}
			same(t, r.get(t, "s").GetState(), sessionv1.Session_STATE_ENDED) // not yet
			r.clock.Add(cfg.Retention + time.Second)
			tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
			defer tick.Stop()
			for {
				_, err := r.GetSession(as(t, "me"), &sessionv1.GetSessionRequest{SessionId: "s"})
				if err != nil {
					refused(t, err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND, "")
					break
				}
				select {
				case <-tick.C:
				case <-late:
					t.Fatal("the session is still there")
				}
			}
			same(t, r.get(t, "kept").GetId(), "kept")
			var got []*sessionv1.WatchSessionResponse
			err := r.WatchSession(as(t, "me"), &sessionv1.WatchSessionRequest{SessionId: "s"}, func(m *sessionv1.WatchSessionResponse) error {
				got = append(got, proto.CloneOf(m))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			same(t, kinds(got), []string{"DELETED 4"})
		})
	}
}

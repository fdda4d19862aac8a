package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

func list(t *testing.T, open Open) {
	s, _ := open(t)
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		session := sample(t, id)
		session.LastActiveTime = epoch.Add(time.Duration([]int{3, 1, 3, 5, 4}[i]) * time.Second)
		if id == "d" {
			session.UserID = "v"
		}
		insert(t, s, session)
	}
	foreign := sample(t, "foreign")
	foreign.Owner = "you"
	insert(t, s, foreign)

	pages := func(userID string, limit int) (got [][]string) {
		query := store.SessionQuery{Owner: "me", UserID: userID, Now: epoch, Limit: limit}
		for {
			sessions, err := s.Sessions(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			if len(sessions) == 0 {
				return got
			}
			var page []string
			for _, session := range sessions {
				page = append(page, session.ID)
				query.Before = store.Place{LastActiveTime: session.LastActiveTime, Key: session.Key}
			}
			got = append(got, page)
		}
	}
	same(t, pages("", 2), [][]string{{"d", "e"}, {"c", "a"}, {"b"}})
	same(t, pages("u", 3), [][]string{{"e", "c", "a"}, {"b"}})
	same(t, pages("nobody", 3), [][]string(nil))
}

func listByState(t *testing.T, open Open) {
	s, _ := open(t)
	now := epoch.Add(time.Hour)
	for id, change := range map[string]func(*store.Session){
		"active":        func(s *store.Session) { s.LastActiveTime = now.Add(-s.IdleTimeout + time.Microsecond) },
		"idle":          func(s *store.Session) { s.LastActiveTime = now.Add(-s.IdleTimeout) },
		"ended":         func(s *store.Session) { s.State, s.EndTime = store.Ended, epoch },
		"ended, late":   func(s *store.Session) { s.State, s.EndTime, s.ExpireTime = store.Ended, epoch, epoch },
		"expired":       func(s *store.Session) { s.State, s.EndTime, s.ExpireTime = store.Expired, epoch, epoch },
		"expired, soon": func(s *store.Session) { s.ExpireTime = now },
	} {
		session := sample(t, id)
		change(session)
		insert(t, s, session)
	}
	type states = []sessionv1.Session_State
	for _, c := range []struct {
		states states
		want   []string
	}{
		{states{sessionv1.Session_STATE_ACTIVE}, []string{"active"}},
		{states{sessionv1.Session_STATE_IDLE}, []string{"idle"}},
		{states{sessionv1.Session_STATE_ENDED}, []string{"ended", "ended, late"}},
		{states{sessionv1.Session_STATE_EXPIRED}, []string{"expired", "expired, soon"}},
		{states{sessionv1.Session_STATE_IDLE, sessionv1.Session_STATE_ACTIVE}, []string{"active", "idle"}},
		{states{sessionv1.Session_State(77)}, nil},
	} {
		sessions, err := s.Sessions(t.Context(), store.SessionQuery{Owner: "me", States: c.states, Now: now, Limit: 99})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, session := range sessions {
			got = append(got, session.ID)
		}
		if diff := cmp.Diff(c.want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b }), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.states, diff)
		}
	}
}

func touch(t *testing.T, open Open) {
	s, _ := open(t)
	one := insert(t, s, sample(t, "one"))
	ended := sample(t, "ended")
	ended.State, ended.EndTime = store.Ended, epoch
	insert(t, s, ended)
	for _, at := range []time.Duration{2 * time.Second, time.Second} {
		err := s.Touch(t.Context(), []store.Use{{Key: one.Key, At: epoch.Add(at)}, {Key: ended.Key, At: epoch.Add(at)}, {Key: 999, At: epoch}})
		if err != nil {
			t.Fatal(err)
		}
	}
	one.LastActiveTime = epoch.Add(2 * time.Second)
	same(t, get(t, s, "one"), one)
	same(t, get(t, s, "ended"), ended)
}

func due(t *testing.T, open Open) {
	s, _ := open(t)
	keys := map[string]int64{}
	for i, id := range []string{"later", "second", "first", "third"} {
		session := sample(t, id)
		session.ExpireTime = epoch.Add(time.Duration([]int{9, 2, 1, 3}[i]) * time.Second)
		keys[id] = insert(t, s, session).Key
	}
	over := sample(t, "over")
	over.State, over.EndTime, over.ExpireTime = store.Expired, epoch, epoch
	insert(t, s, over)
	got, err := s.Due(t.Context(), epoch.Add(3*time.Second), 2)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []int64{keys["first"], keys["second"]})
	got, err = s.Due(t.Context(), epoch.Add(3*time.Second), 9)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []int64{keys["first"], keys["second"], keys["third"]})
}

func ended(t *testing.T, open Open) {
	s, reopen := open(t)
	keys := map[string]int64{}
	for i, id := range []string{"later", "second", "first", "third"} {
		session := sample(t, id)
		session.State, session.EndTime = store.Ended, epoch.Add(time.Duration([]int{9, 2, 1, 3}[i])*time.Second)
		keys[id] = insert(t, s, session).Key
	}
	insert(t, s, sample(t, "active"))
	for _, c := range []struct {
		before, limit int
		want          []int64
	}{
		{1, 9, nil}, {4, 2, []int64{keys["first"], keys["second"]}}, {4, 9, []int64{keys["first"], keys["second"], keys["third"]}},
	} {
		got, err := s.Ended(t.Context(), epoch.Add(time.Duration(c.before)*time.Second), c.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, c.want)
	}
	got, err := reopen().Ended(t.Context(), epoch.Add(2*time.Second), 9)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []int64{keys["first"]})
}

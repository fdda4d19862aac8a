// Package storetest holds every store of sessions to the specification in
// package store.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
)

// Open returns a store that is empty and reopen, which closes it and opens it
// again over the same data.
type Open func(t testing.TB) (s store.Store, reopen func() store.Store)

// Run runs every test.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"InsertAndRead":       insertAndRead,
		"IDTaken":             idTaken,
		"Rollback":            rollback,
		"Save":                save,
		"Messages":            messages,
		"Changes":             changes,
		"List":                list,
		"ListByState":         listByState,
		"Touch":               touch,
		"Due":                 due,
		"Copy":                copies,
		"DeleteAndTombstones": deletion,
		"Concurrent":          concurrent,
		"Reopen":              reopened,
		"Cancelled":           cancelled,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open) })
	}
}

var compare = cmp.Options{protocmp.Transform(), cmpopts.EquateEmpty()}

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 123456000, time.UTC)

func sample(t testing.TB, id string) *store.Session {
	t.Helper()
	preferences, err := structpb.NewStruct(map[string]any{"theme": "dark", "deep": map[string]any{"n": 1.5}})
	if err != nil {
		t.Fatal(err)
	}
	return &store.Session{
		ID: id, Owner: "me", UserID: "u", Title: "Ein Titel – 試", State: store.Active,
		Preferences: preferences, Metadata: map[string]string{"a": "1"},
		CreateTime: epoch, UpdateTime: epoch, LastActiveTime: epoch,
		IdleTimeout: 30*time.Minute + time.Microsecond, ExpireTime: epoch.Add(24 * time.Hour),
		Version: 1, RequestDigest: []byte{1, 2},
	}
}

func message(position int64, version int64) *store.Message {
	return &store.Message{
		Position: position, ID: fmt.Sprintf("m%d", position), Role: int16(1 + position%2), Version: version,
		CreateTime: epoch.Add(time.Duration(position) * time.Microsecond), Tokens: 7, Body: []byte{0, 1, byte(position)},
	}
}

// insert stores a session whose messages came in groups of the given sizes.
func insert(t testing.TB, s store.Store, session *store.Session, groups ...int) *store.Session {
	t.Helper()
	write := store.Addition{Changes: []store.Change{{Version: 1, Kind: store.Created}}}
	for _, size := range groups {
		session.Version++
		first := session.MessageCount + 1
		for range size {
			session.MessageCount++
			write.Messages = append(write.Messages, message(session.MessageCount, session.Version))
		}
		write.Changes = append(write.Changes, store.Change{Version: session.Version, Kind: store.Appended, First: first, Last: session.MessageCount})
	}
	err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Insert(ctx, session, write) })
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func get(t testing.TB, s store.Store, id string) *store.Session {
	t.Helper()
	session, err := s.Session(t.Context(), "me", id)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func all(t testing.TB, s store.Store, key int64) []*store.Message {
	t.Helper()
	list, err := s.Messages(t.Context(), store.MessageQuery{Key: key, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func insertAndRead(t *testing.T, open Open) {
	s, _ := open(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := insert(t, s, sample(t, "one"), 2)
	if want.Key == 0 {
		t.Fatal("no key was set")
	}
	same(t, get(t, s, "one"), want)
	byKey, err := s.SessionByKey(t.Context(), want.Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, byKey, want)

	bare := sample(t, "bare")
	bare.Preferences, bare.Metadata, bare.RequestDigest, bare.Title = nil, nil, nil, ""
	bare.State, bare.EndTime = store.Ended, epoch.Add(time.Second)
	bare.ForkedFromSession, bare.ForkedFromMessage = "one", "m2"
	insert(t, s, bare)
	same(t, get(t, s, "bare"), bare)

	for name, read := range map[string]func() error{
		"other owner": func() error { _, err := s.Session(t.Context(), "you", "one"); return err },
		"other id":    func() error { _, err := s.Session(t.Context(), "me", "ONE"); return err },
		"other key":   func() error { _, err := s.SessionByKey(t.Context(), want.Key+100); return err },
		"in a transaction": func() error {
			return s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { _, err := tx.Session(ctx, "you", "one"); return err })
		},
		"key in a transaction": func() error {
			return s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { _, err := tx.SessionByKey(ctx, 12345); return err })
		},
	} {
		if err := read(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	versions, err := s.Versions(t.Context(), []int64{want.Key, bare.Key, 999})
	if err != nil {
		t.Fatal(err)
	}
	same(t, versions, map[int64]int64{want.Key: 2, bare.Key: 1})
}

func idTaken(t *testing.T, open Open) {
	s, _ := open(t)
	first := insert(t, s, sample(t, "one"), 1)
	var taken error
	err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		other := sample(t, "one")
		other.Owner = "you"
		taken = tx.Insert(ctx, other, store.Addition{})
		held, err := tx.Session(ctx, "me", "one") // the transaction goes on
		if err == nil {
			same(t, held, first)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(taken, store.ErrExists) {
		t.Errorf("got %v, want ErrExists", taken)
	}
	same(t, get(t, s, "one"), first)
}

func rollback(t *testing.T, open Open) {
	s, _ := open(t)
	own := errors.New("mine")
	err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		session := sample(t, "one")
		if err := tx.Insert(ctx, session, store.Addition{Messages: []*store.Message{message(1, 1)}}); err != nil {
			return err
		}
		if _, err := tx.Session(ctx, "me", "one"); err != nil {
			t.Errorf("a transaction must see its own changes: %v", err)
		}
		return own
	})
	if !errors.Is(err, own) {
		t.Fatalf("got %v, want the function's error", err)
	}
	if _, err := s.Session(t.Context(), "me", "one"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
}

func save(t *testing.T, open Open) {
	s, _ := open(t)
	insert(t, s, sample(t, "one"), 1)
	var want *store.Session
	err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		held, err := tx.Session(ctx, "me", "one")
		if err != nil {
			return err
		}
		held.Title, held.State, held.Preferences, held.Metadata = "new", store.Expired, nil, map[string]string{"b": "2"}
		held.UpdateTime, held.LastActiveTime, held.EndTime = epoch.Add(1*time.Second), epoch.Add(2*time.Second), epoch.Add(3*time.Second)
		held.IdleTimeout, held.ExpireTime = time.Hour, epoch.Add(4*time.Second)
		held.Version, held.MessageCount = 4, 2
		want = held
		return tx.Save(ctx, held, store.Addition{
			Messages: []*store.Message{message(2, 3)},
			Changes:  []store.Change{{Version: 3, Kind: store.Appended, First: 2, Last: 2}, {Version: 4, Kind: store.Finished}},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, get(t, s, "one"), want)
	same(t, all(t, s, want.Key), []*store.Message{message(1, 2), message(2, 3)})
}

func messages(t *testing.T, open Open) {
	s, _ := open(t)
	session := insert(t, s, sample(t, "one"), 3, 3)
	insert(t, s, sample(t, "two"), 9)
	for _, c := range []struct {
		name  string
		query store.MessageQuery
		want  []int64
	}{
		{"all", store.MessageQuery{Limit: 100}, []int64{1, 2, 3, 4, 5, 6}},
		{"limited", store.MessageQuery{Limit: 2}, []int64{1, 2}},
		{"after", store.MessageQuery{After: 4, Limit: 100}, []int64{5, 6}},
		{"between", store.MessageQuery{After: 1, Before: 4, Limit: 100}, []int64{2, 3}},
		{"newest first", store.MessageQuery{NewestFirst: true, Limit: 2}, []int64{6, 5}},
		{"newest before", store.MessageQuery{NewestFirst: true, Before: 3, Limit: 9}, []int64{2, 1}},
		{"system", store.MessageQuery{System: true, Limit: 9}, []int64{2, 4, 6}},
		{"not system", store.MessageQuery{NotSystem: true, NewestFirst: true, Limit: 2}, []int64{5, 3}},
	} {
		c.query.Key = session.Key
		list, err := s.Messages(t.Context(), c.query)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, m := range list {
			got = append(got, m.Position)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	same(t, all(t, s, session.Key)[3], message(4, 3))
	same(t, len(all(t, s, 12345)), 0)

	err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		found, err := tx.MessagesByID(ctx, session.Key, []string{"m5", "nobody", "m1", "m9", `"quoted"`})
		if err != nil {
			return err
		}
		same(t, found, map[string]*store.Message{"m5": message(5, 3), "m1": message(1, 2)})
		if _, err := tx.MessageAt(ctx, session.Key, 7); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		at, err := tx.MessageAt(ctx, session.Key, 6)
		if err == nil {
			same(t, at, message(6, 3))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func changes(t *testing.T, open Open) {
	s, _ := open(t)
	session := insert(t, s, sample(t, "one"), 2, 1)
	for after, want := range [][]store.Change{
		{{Version: 1, Kind: store.Created}, {Version: 2, Kind: store.Appended, First: 1, Last: 2}},
		{{Version: 2, Kind: store.Appended, First: 1, Last: 2}, {Version: 3, Kind: store.Appended, First: 3, Last: 3}},
		{{Version: 3, Kind: store.Appended, First: 3, Last: 3}},
		nil,
	} {
		got, err := s.Changes(t.Context(), session.Key, int64(after), 2)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}
}

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

func copies(t *testing.T, open Open) {
	s, _ := open(t)
	source := insert(t, s, sample(t, "source"), 2, 1, 3)
	// A gap in the versions of the messages, as an update leaves it.
	err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		held, err := tx.SessionByKey(ctx, source.Key)
		if err != nil {
			return err
		}
		held.Version, held.MessageCount = 6, 7
		return tx.Save(ctx, held, store.Addition{Messages: []*store.Message{message(7, 6)}, Changes: []store.Change{{Version: 5, Kind: store.Updated}, {Version: 6, Kind: store.Appended, First: 7, Last: 7}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		through  int64
		versions []int64 // of the copies
		changes  []store.Change
	}{
		{0, nil, nil},
		{1, []int64{2}, []store.Change{{Version: 2, Kind: store.Appended, First: 1, Last: 1}}},
		{7, []int64{2, 2, 3, 4, 4, 4, 5}, []store.Change{
			{Version: 2, Kind: store.Appended, First: 1, Last: 2}, {Version: 3, Kind: store.Appended, First: 3, Last: 3},
			{Version: 4, Kind: store.Appended, First: 4, Last: 6}, {Version: 5, Kind: store.Appended, First: 7, Last: 7},
		}},
	} {
		to := sample(t, fmt.Sprintf("fork%d", c.through))
		err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := tx.Insert(ctx, to, store.Addition{Changes: []store.Change{{Version: 1, Kind: store.Created}}}); err != nil {
				return err
			}
			return tx.CopyMessages(ctx, source.Key, c.through, to)
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []*store.Message
		for i, version := range c.versions {
			want = append(want, message(int64(i+1), version))
		}
		same(t, all(t, s, to.Key), want)
		same(t, to.MessageCount, c.through)
		same(t, to.Version, int64(1+len(c.changes)))
		same(t, get(t, s, to.ID), to)
		log, err := s.Changes(t.Context(), to.Key, 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		same(t, log, c.changes)
	}
	same(t, len(all(t, s, source.Key)), 7)
}

func deletion(t *testing.T, open Open) {
	s, _ := open(t)
	if _, err := s.Tombstone(t.Context(), "me", "one"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	var stones []store.Tombstone
	for i := range 2 { // the id is used again
		session := insert(t, s, sample(t, "one"), 2)
		stone := store.Tombstone{Key: session.Key, ID: "one", Owner: "me", Version: 3, DeleteTime: epoch.Add(time.Duration(i) * time.Second)}
		stones = append(stones, stone)
		err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			held, err := tx.Session(ctx, "me", "one")
			if err != nil {
				return err
			}
			return tx.Delete(ctx, held, stone)
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, len(all(t, s, session.Key)), 0)
		log, err := s.Changes(t.Context(), session.Key, 0, 9)
		if err != nil {
			t.Fatal(err)
		}
		same(t, len(log), 0)
		if _, err := s.Session(t.Context(), "me", "one"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("got %v, want ErrNotFound", err)
		}
	}
	if stones[0].Key == stones[1].Key {
		t.Fatal("a key was used twice")
	}
	got, err := s.Tombstone(t.Context(), "me", "one")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, stones[1])
	if _, err := s.Tombstone(t.Context(), "you", "one"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	dropped, err := s.DropTombstones(t.Context(), epoch.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	same(t, dropped, int64(1))
	if _, err := s.TombstoneByKey(t.Context(), stones[0].Key); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	got, err = s.TombstoneByKey(t.Context(), stones[1].Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, stones[1])
}

// concurrent has many writers read, then write, one session: held means that
// none is lost.
func concurrent(t *testing.T, open Open) {
	s, _ := open(t)
	session := insert(t, s, sample(t, "one"))
	const writers, each = 8, 10
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				err := s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
					held, err := tx.Session(ctx, "me", "one")
					if err != nil {
						return err
					}
					held.Version++
					held.MessageCount++
					return tx.Save(ctx, held, store.Addition{
						Messages: []*store.Message{message(held.MessageCount, held.Version)},
						Changes:  []store.Change{{Version: held.Version, Kind: store.Appended, First: held.MessageCount, Last: held.MessageCount}},
					})
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	same(t, get(t, s, "one").MessageCount, int64(writers*each))
	var want []*store.Message
	for i := range int64(writers * each) {
		want = append(want, message(i+1, i+2))
	}
	same(t, all(t, s, session.Key), want)
}

func reopened(t *testing.T, open Open) {
	s, reopen := open(t)
	want := insert(t, s, sample(t, "one"), 3)
	before := all(t, s, want.Key)
	s = reopen()
	same(t, get(t, s, "one"), want)
	same(t, all(t, s, want.Key), before)
}

func cancelled(t *testing.T, open Open) {
	s, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Write(ctx, func(context.Context, store.Tx) error { t.Error("ran"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Write: got %v, want Canceled", err)
	}
	if _, err := s.Session(ctx, "me", "one"); !errors.Is(err, context.Canceled) {
		t.Errorf("Session: got %v, want Canceled", err)
	}
}

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
		"Ended":               ended,
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

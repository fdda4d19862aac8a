package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/journal"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

func create(ctx context.Context, s store.Store, id string) (*store.Session, error) {
	var session *store.Session
	err := s.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		session = &store.Session{
			ID: id, Owner: "me", UserID: "u", State: store.Active, CreateTime: epoch, UpdateTime: epoch, LastActiveTime: epoch,
			IdleTimeout: time.Hour, ExpireTime: epoch.Add(time.Hour), Version: 1,
		}
		return tx.Insert(ctx, session, store.Addition{Changes: []store.Change{{Version: 1, Kind: store.Created}}})
	})
	return session, err
}

// add appends messages that may be there.
func add(ctx context.Context, s store.Store, id string, body []byte, names ...string) error {
	return s.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		session, err := tx.Session(ctx, "me", id)
		if err != nil {
			return err
		}
		present, err := tx.MessagesByID(ctx, session.Key, names)
		if err != nil {
			return err
		}
		var list []store.Message
		for _, name := range names {
			list = append(list, store.Message{ID: name, Role: 2, CreateTime: epoch, Body: body})
		}
		more := place(session, list, present, epoch)
		if len(more.Messages) == 0 {
			return nil
		}
		return tx.Save(ctx, session, more)
	})
}

// has returns the ids of a session's messages, which are without a gap and agree with
// the session and its log.
func has(t testing.TB, s store.Store, id string) []string {
	t.Helper()
	session, err := s.Session(t.Context(), "me", id)
	if err != nil {
		t.Errorf("session %s: %v", id, err)
		return nil
	}
	list, err := s.Messages(t.Context(), store.MessageQuery{Key: session.Key, Limit: 1 << 30})
	if err != nil {
		t.Error(err)
	}
	if int64(len(list)) != session.MessageCount {
		t.Errorf("session %s: %d messages of %d", id, len(list), session.MessageCount)
	}
	var names []string
	for i, m := range list {
		if m.Position != int64(i+1) {
			t.Errorf("session %s: message %d has position %d", id, i+1, m.Position)
		}
		if slices.Contains(names, m.ID) {
			t.Errorf("session %s: message %s twice", id, m.ID)
		}
		names = append(names, m.ID)
	}
	changes, err := s.Changes(t.Context(), session.Key, 0, 1<<30)
	if err != nil {
		t.Error(err)
	}
	if int64(len(changes)) != session.Version {
		t.Errorf("session %s: %d changes, version %d", id, len(changes), session.Version)
	}
	return names
}

// A write is in the tables before it is in memory: who reads the tables meanwhile waits,
// and so reads nothing older next.
func TestSoleReachesItsTables(t *testing.T) {
	t.Parallel()
	s := openQuick(t, t.TempDir())
	t.Cleanup(func() { s.close(t) })
	session, err := create(t.Context(), s, "s")
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error)
	held := make(chan func())
	go func() {
		wrote <- s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			now, err := tx.Session(ctx, "me", "s")
			if err != nil {
				return err
			}
			more := place(now, []store.Message{{ID: "m", Role: 2, CreateTime: epoch}}, nil, epoch)
			if err := tx.Save(ctx, now, more); err != nil {
				return err
			}
			held <- s.Hold()
			return nil
		})
	}()
	release := <-held
	for {
		changes, err := s.Store.Changes(t.Context(), session.Key, 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 1 {
			break
		}
	}
	for name, read := range map[string]func(context.Context) error{
		"changes": func(ctx context.Context) error { _, err := s.Changes(ctx, session.Key, 0, 10); return err },
		"sessions": func(ctx context.Context) error {
			_, err := s.Sessions(ctx, store.SessionQuery{Owner: "me", Limit: 10})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s are read ahead of memory: %v", name, err)
		}
		cancel()
	}
	release()
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if got := has(t, s, "s"); !slices.Equal(got, []string{"m"}) {
		t.Errorf("messages %v", got)
	}
}

// Many create the same sessions, append the same and other messages to them, read and
// use them, while most of it is forgotten.
func TestSoleTogether(t *testing.T) {
	t.Parallel()
	s := openQuick(t, t.TempDir())
	s.Shrink(4, 2000, 500, 12)
	const names, workers, rounds = 6, 8, 25
	list := make([]string, names)
	for i := range list {
		list[i] = ids.At("ses", time.Now())
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	keys := map[string]int64{}
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				id := list[(i+w)%names]
				session, err := create(t.Context(), s, id)
				if err == nil {
					mu.Lock()
					if keys[id] != 0 {
						t.Errorf("%s was made twice", id)
					}
					keys[id] = session.Key
					mu.Unlock()
				} else if !errors.Is(err, store.ErrExists) {
					t.Error(err)
				}
				shared, own := fmt.Sprint("m", i), fmt.Sprintf("w%d.%d", w, i)
				if err := add(t.Context(), s, id, []byte(id), shared, own); err != nil {
					t.Error(err)
				}
				got, err := s.Session(t.Context(), "me", id)
				if err != nil {
					t.Error(err)
					continue
				}
				near, err := s.Messages(t.Context(), store.MessageQuery{Key: got.Key, Before: got.MessageCount + 1, NewestFirst: true, Limit: 50})
				if err != nil || len(near) != int(min(got.MessageCount, 50)) {
					t.Errorf("%d messages of %d: %v", len(near), got.MessageCount, err)
				}
				if err := s.Touch(t.Context(), []store.Use{{Key: got.Key, At: epoch.Add(time.Duration(i) * time.Second)}}); err != nil {
					t.Error(err)
				}
				if i%8 == w {
					s.Forget()
				}
			}
		})
	}
	wg.Wait()
	for range 2 { // as it is known, and as it is stored
		for i, id := range list {
			got := has(t, s, id)
			for w := range workers {
				for j := range rounds {
					if (j+w)%names != i {
						continue
					}
					for _, name := range []string{fmt.Sprint("m", j), fmt.Sprintf("w%d.%d", w, j)} {
						if !slices.Contains(got, name) {
							t.Errorf("session %s lacks %s", id, name)
						}
					}
				}
			}
		}
		if n := s.db.Lost(); n > 0 {
			t.Errorf("%d rows were lost", n)
		}
		s.close(t)
		s = openQuick(t, s.dir)
	}
	s.close(t)
}

// A session whose id was looked for before it was made is not new once it was forgotten.
func TestSoleKnowsTakenIDs(t *testing.T) {
	t.Parallel()
	s := openQuick(t, t.TempDir())
	defer s.close(t)
	if _, err := create(t.Context(), s, "source"); err != nil {
		t.Fatal(err)
	}
	if _, err := create(t.Context(), s, ids.At("ses", time.Now().Add(2*time.Millisecond))); err != nil { // ids are known from here on
		t.Fatal(err)
	}
	if err := add(t.Context(), s, "source", []byte("a"), "one"); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(id string) error{
		"looked for": func(id string) error {
			if _, err := s.Session(t.Context(), "me", id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("before: %v", err)
			}
			_, err := create(t.Context(), s, id)
			return err
		},
		"copied": func(id string) error {
			s.settle(t)
			s.Forget()
			return s.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
				source, err := tx.Session(ctx, "me", "source")
				if err != nil {
					return err
				}
				if _, err := tx.MessageAt(ctx, source.Key, 1); err != nil {
					return err
				}
				fork := source.Clone()
				fork.ID, fork.Version, fork.MessageCount = id, 1, 0
				if err := tx.Insert(ctx, fork, store.Addition{Changes: []store.Change{{Version: 1, Kind: store.Created}}}); err != nil {
					return err
				}
				return tx.CopyMessages(ctx, source.Key, 1, fork)
			})
		},
	} {
		id := ids.At("ses", time.Now().Add(2*time.Millisecond)) // of after the store was opened
		if err := make(id); err != nil {
			t.Fatal(name, err)
		}
		s.settle(t)
		s.Forget()
		if _, err := create(t.Context(), s, id); !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: made again: %v", name, err)
		}
	}
}

// settle has the tables take all that was written.
func (s *sole) settle(t testing.TB) {
	t.Helper()
	if _, err := s.Versions(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// A session that is always written to does not stay in memory as a whole.
func TestSoleBoundsABusySession(t *testing.T) {
	t.Parallel()
	s := openQuick(t, t.TempDir())
	defer s.close(t)
	s.Shrink(10, 1<<20, 8<<10, 20)
	if _, err := create(t.Context(), s, "busy"); err != nil {
		t.Fatal(err)
	}
	most := 0
	for i := range 120 {
		// There is always a write that the tables lack.
		if err := s.Touch(t.Context(), []store.Use{{Key: 1, At: epoch}}); err != nil {
			t.Fatal(err)
		}
		if err := add(t.Context(), s, "busy", make([]byte, 1<<10), fmt.Sprint("m", i)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			s.settle(t)
		}
		_, bytes, _ := s.Remembered()
		most = max(most, bytes)
	}
	if most > 60<<10 {
		t.Errorf("%d bytes of one session were kept", most)
	}
	if n := len(has(t, s, "busy")); n != 120 {
		t.Errorf("%d messages", n)
	}
}

// A use of a session that is not in memory is seen by who reads it next.
func TestSoleTouchesWhatItForgot(t *testing.T) {
	t.Parallel()
	s := openQuick(t, t.TempDir())
	defer s.close(t)
	session, err := create(t.Context(), s, "a")
	if err != nil {
		t.Fatal(err)
	}
	s.settle(t)
	s.Forget()
	at := epoch.Add(time.Minute)
	if err := s.Touch(t.Context(), []store.Use{{Key: session.Key, At: at}}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Session(t.Context(), "me", "a"); err != nil || !got.LastActiveTime.Equal(at) {
		t.Errorf("%+v, %v", got, err)
	}
}

// While neither the journal nor the tables take anything, what is refused is never
// seen; behind that all is as before.
func TestSoleGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openWith(t, dir, journal.Config{Segment: 64 << 10}, 20*time.Millisecond)
	defer s.close(t)
	for _, id := range []string{"a", "b"} {
		if _, err := create(t.Context(), s, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(t.Context(), s, "a", []byte("body"), "before"); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(dir, "away")
	if err := os.Rename(filepath.Join(dir, "journal"), away); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "session.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	kept := []string{"before"}
	refused := 0
	large := make([]byte, 40<<10) // the segment that is open takes one, at most
	for i := range 6 {
		name := fmt.Sprint("during", i)
		switch err := add(t.Context(), s, "a", large, name); {
		case err == nil:
			kept = append(kept, name)
		case errors.Is(err, store.ErrUnavailable):
			refused++
		default:
			t.Error(err)
		}
	}
	_, made := create(t.Context(), s, "c")
	if refused == 0 || !errors.Is(made, store.ErrUnavailable) {
		t.Errorf("%d appends were refused, a session %v", refused, made)
	}
	if err := errors.Join(lock.Rollback(), os.Rename(away, filepath.Join(dir, "journal"))); err != nil {
		t.Fatal(err)
	}
	if got, err := s.SessionByKey(t.Context(), 1); err != nil || got.ID != "a" {
		t.Errorf("%+v, %v", got, err)
	}
	if got := has(t, s, "a"); !slices.Equal(got, kept) {
		t.Errorf("%q are there, %q were taken", got, kept)
	}
	if err := add(t.Context(), s, "a", []byte("body"), "before", "after"); err != nil {
		t.Error(err)
	}
	if err := add(t.Context(), s, "b", []byte("body"), "first"); err != nil {
		t.Error(err)
	}
	if _, err := create(t.Context(), s, "c"); err != nil {
		t.Error(err)
	}
	if got := has(t, s, "a"); !slices.Equal(got, append(kept, "after")) {
		t.Errorf("%q are there", got)
	}
	if got := has(t, s, "b"); !slices.Equal(got, []string{"first"}) {
		t.Errorf("%q are there", got)
	}
	if n := s.db.Lost(); n > 0 {
		t.Errorf("%d rows were lost", n)
	}
}

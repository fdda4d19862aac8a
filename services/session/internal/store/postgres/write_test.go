package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	sessionpostgres "github.com/gptmesh/gptmesh/services/session/internal/store/postgres"
)

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// replica is a process that keeps sessions.
type replica struct {
	t      *testing.T
	db     *postgres.DB
	store  *sessionpostgres.Store
	writer *postgres.Writer
}

// replicas are processes over the same tables.
func replicas(t *testing.T, n int) []*replica {
	t.Helper()
	url := pgtest.DB(t)
	var list []*replica
	for range n {
		writer, err := postgres.NewWriter(postgres.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(writer.Close)
		db := openDB(t, url, writer)
		t.Cleanup(db.Close)
		list = append(list, &replica{t, db, sessionpostgres.New(db), writer})
	}
	return list
}

// write runs fn, which tells what it does.
func (r *replica) write(fn func(ctx context.Context, tx store.Tx) error) error {
	return r.store.Write(outbox.Open(r.t.Context()), fn)
}

func (r *replica) create(id string) error {
	return r.write(func(ctx context.Context, tx store.Tx) error {
		outbox.Add(ctx, []byte("[new]"))
		return tx.Insert(ctx, &store.Session{
			ID: id, Owner: "me", State: store.Active, CreateTime: epoch, UpdateTime: epoch, LastActiveTime: epoch,
			IdleTimeout: time.Hour, ExpireTime: epoch.Add(time.Hour), Version: 1,
		}, store.Addition{Changes: []store.Change{{Version: 1, Kind: store.Created}}})
	})
}

// append adds those messages that are not there.
func (r *replica) append(id string, messages ...string) error {
	return r.write(func(ctx context.Context, tx store.Tx) error {
		held, err := tx.Session(ctx, "me", id)
		if err != nil {
			return err
		}
		present, err := tx.MessagesByID(ctx, held.Key, messages)
		if err != nil {
			return err
		}
		held.Version++
		held.UpdateTime, held.LastActiveTime = epoch.Add(time.Second), epoch.Add(time.Second)
		var add store.Addition
		for _, m := range messages {
			if present[m] == nil {
				held.MessageCount++
				add.Messages = append(add.Messages, &store.Message{
					Position: held.MessageCount, ID: m, Role: 2, Version: held.Version, CreateTime: epoch, Body: []byte(m),
				})
			}
		}
		if len(add.Messages) == 0 {
			return nil
		}
		add.Changes = []store.Change{{Version: held.Version, Kind: store.Appended, First: add.Messages[0].Position, Last: held.MessageCount}}
		outbox.Add(ctx, fmt.Appendf(nil, "[%d]", held.Version))
		return tx.Save(ctx, held, add)
	})
}

func (r *replica) session(id string) *store.Session {
	r.t.Helper()
	session, err := r.store.Session(r.t.Context(), "me", id)
	if err != nil {
		r.t.Fatal(err)
	}
	return session
}

// history returns the messages of a session, and all that was told.
func (r *replica) history(id string) (messages, told string) {
	r.t.Helper()
	list, err := r.store.Messages(r.t.Context(), store.MessageQuery{Key: r.session(id).Key, Limit: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range list {
		messages += fmt.Sprint(m.Position, m.ID, " ")
	}
	err = r.db.Pool().QueryRow(r.t.Context(), "select coalesce(string_agg(convert_from(record, 'UTF8'), '' order by id), '') from outbox").Scan(&told)
	if err != nil {
		r.t.Fatal(err)
	}
	return messages, told
}

// shared does something and returns how many calls of it have shared commits.
func (r *replica) shared(do ...error) uint64 {
	r.t.Helper()
	if err := errors.Join(do...); err != nil {
		r.t.Fatal(err)
	}
	return r.writer.Stats().Writes
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTurnSharesCommits(t *testing.T) {
	t.Parallel()
	r := replicas(t, 1)[0]
	id := ids.New("ses")
	same(t, r.shared(r.create(id)), uint64(1))
	same(t, r.shared(r.append(id, "a", "b")), uint64(2))
	same(t, r.shared(r.append(id, "c")), uint64(3))
	same(t, r.shared(r.append(id, "c", "b")), uint64(3)) // which are there
	same(t, r.shared(r.append(id, "c", "d")), uint64(3)) // in part
	messages, told := r.history(id)
	same(t, messages, "1a 2b 3c 4d ")
	same(t, told, "[new][2][3][4]")

	// An id that somebody chose is not taken for a new one, and then known from reading.
	same(t, r.shared(r.create("chosen")), uint64(3))
	same(t, r.shared(r.append("chosen", "a")), uint64(4))
	if again := r.create(id); !errors.Is(again, store.ErrExists) {
		t.Errorf("got %v", again)
	}
}

// Who comes while another's write is under way builds on that.
func TestCallsToOneSessionShareCommits(t *testing.T) {
	t.Parallel()
	r := replicas(t, 1)[0]
	id := ids.New("ses")
	if err := r.create(id); err != nil {
		t.Fatal(err)
	}
	const callers, each = 8, 10
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for i := range each {
				if err := r.append(id, fmt.Sprintf("%d.%d", caller, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	same(t, r.shared(), uint64(1+callers*each))
	same(t, r.session(id).MessageCount, int64(callers*each))
	list, err := r.store.Messages(t.Context(), store.MessageQuery{Key: r.session(id).Key, Limit: 1000})
	if err != nil || len(list) != callers*each {
		t.Errorf("%d messages, %v", len(list), err)
	}
}

func TestReplicasWriteToOneSession(t *testing.T) {
	t.Parallel()
	two := replicas(t, 2)
	a, b := two[0], two[1]
	id := ids.New("ses")
	for _, err := range []error{
		a.create(id), b.append(id, "1"), a.append(id, "2"), b.append(id, "3"), a.append(id, "2", "3", "4"), b.append(id, "4"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	messages, told := a.history(id)
	same(t, messages, "11 22 33 44 ")
	same(t, told, "[new][2][3][4][5]")
	same(t, b.session(id), a.session(id))

	// A message that another has added beside what this one last wrote.
	a.session(id)
	err := a.write(func(ctx context.Context, tx store.Tx) error {
		held, err := tx.Session(ctx, "me", id)
		if err != nil {
			return err
		}
		held.Version++
		held.Title, held.Metadata = "new", map[string]string{"k": "v"}
		return tx.Save(ctx, held, store.Addition{Changes: []store.Change{{Version: held.Version, Kind: store.Updated}}})
	})
	if err := errors.Join(err, a.append(id, "1", "5")); err != nil {
		t.Fatal(err)
	}
	messages, _ = b.history(id)
	same(t, messages, "11 22 33 44 55 ")
	same(t, b.session(id).Title, "new")
	same(t, b.session(id).Metadata, map[string]string{"k": "v"})

	key := a.session(id).Key
	err = b.store.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		held, err := tx.Session(ctx, "me", id)
		if err != nil {
			return err
		}
		return tx.Delete(ctx, held, store.Tombstone{Key: key, ID: id, Owner: "me", Version: 9, DeleteTime: epoch})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.append(id, "6"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// A use that another replica has noted stays, though a write is of a time before.
func TestUsesDoNotMoveBack(t *testing.T) {
	t.Parallel()
	two := replicas(t, 2)
	a, b := two[0], two[1]
	id, late := ids.New("ses"), epoch.Add(time.Minute)
	if err := a.create(id); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Touch(t.Context(), []store.Use{{Key: b.session(id).Key, At: late}}); err != nil {
		t.Fatal(err)
	}
	same(t, a.shared(a.append(id, "a")), uint64(2))
	same(t, a.session(id).LastActiveTime, late)
}

func TestMoreSessionsThanAreRemembered(t *testing.T) {
	t.Parallel()
	r := replicas(t, 1)[0]
	r.store.Remember(2)
	var list []string
	for range 8 {
		id := ids.New("ses")
		list = append(list, id)
		if err := errors.Join(r.create(id), r.append(id, "a")); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range list {
		if err := r.append(id, "a", "b"); err != nil {
			t.Fatal(err)
		}
		messages, _ := r.history(id)
		same(t, messages, "1a 2b ")
	}
	if n := r.store.Remembered(); n > 2 {
		t.Errorf("%d sessions are remembered", n)
	}
}

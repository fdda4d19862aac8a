package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

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

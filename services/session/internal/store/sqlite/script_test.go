package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/protobuf/types/known/structpb"
)

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 123456000, time.UTC)

// world is a store with the keys of its sessions: two stores that are asked the same
// give other numbers.
type world struct {
	store.Store
	keys []int64         // in the order in which they were given
	name map[int64]int64 // their places in keys, from 1
}

func newWorld(s store.Store) *world { return &world{Store: s, name: map[int64]int64{}} }

// key is one of the last keys, or one that no session has.
func (w *world) key(back int) int64 {
	if len(w.keys) == 0 {
		return 1 << 40
	}
	return w.keys[len(w.keys)-1-back%len(w.keys)]
}

func (w *world) given(key int64) {
	w.keys = append(w.keys, key)
	w.name[key] = int64(len(w.keys))
}

// named gives sessions and tombstones the places of their keys.
func (w *world) named(s *store.Session) *store.Session {
	if s == nil {
		return nil
	}
	out := *s
	out.Key = w.name[s.Key]
	return &out
}

// step is one thing to do in a world; what it tells is the same in every world.
type step func(ctx context.Context, w *world) any

// told is what a step came to.
type told struct {
	Session  *store.Session
	Sessions []*store.Session
	Messages []*store.Message
	Present  map[string]*store.Message
	Changes  []store.Change
	Stones   []store.Tombstone
	Versions map[int64]int64
	Keys     []int64
	Error    string
}

func failure(err error) string {
	for _, known := range []error{store.ErrNotFound, store.ErrExists, errRefused} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

var errRefused = errors.New("refused")

var owners = []string{"me", "you"}

// script makes steps.
type script struct {
	*rand.Rand
	now time.Time
	ids []string
}

func (r *script) id() string {
	i := r.IntN(len(r.ids))
	if r.IntN(20) == 0 { // what was made just now may be known for new
		r.ids[i] = ids.At("ses", time.Now())
	}
	return r.ids[i]
}

func (r *script) owner() string {
	if r.IntN(8) == 0 {
		return owners[1]
	}
	return owners[0]
}

func (r *script) body() []byte {
	b := make([]byte, r.IntN(120))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// messages are some, of ids that may be there.
func (r *script) messages(most int) []store.Message {
	list := make([]store.Message, r.IntN(most+1))
	for i := range list {
		list[i] = store.Message{ID: fmt.Sprintf("m%d", r.IntN(60)), Role: int16(1 + r.IntN(3)), CreateTime: r.now, Tokens: int64(r.IntN(9)), Body: r.body()}
	}
	return list
}

// place adds messages that are not there to a session, as the room does.
func place(s *store.Session, list []store.Message, present map[string]*store.Message, now time.Time) store.Addition {
	var add store.Addition
	first, seen := s.MessageCount+1, map[string]bool{}
	for _, m := range list {
		if seen[m.ID] || present[m.ID] != nil {
			continue
		}
		seen[m.ID] = true
		s.MessageCount++
		m.Position, m.Version = s.MessageCount, s.Version+1
		add.Messages = append(add.Messages, &m)
	}
	if len(add.Messages) > 0 {
		s.Version++
		s.UpdateTime = now
		if s.LastActiveTime.Before(now) {
			s.LastActiveTime = now
		}
		add.Changes = []store.Change{{Version: s.Version, Kind: store.Appended, First: first, Last: s.MessageCount}}
	}
	return add
}

func (r *script) insert() step {
	id, owner, now, list := r.id(), r.owner(), r.now, r.messages(3)
	if r.IntN(2) == 0 {
		list = nil
	}
	plain := r.IntN(2) == 0
	return func(ctx context.Context, w *world) any {
		var s *store.Session
		err := w.Write(ctx, func(ctx context.Context, tx store.Tx) error {
			s = &store.Session{
				ID: id, Owner: owner, UserID: "u", State: store.Active, CreateTime: now, UpdateTime: now, LastActiveTime: now,
				IdleTimeout: time.Hour, ExpireTime: now.Add(time.Hour), Version: 1, RequestDigest: []byte(id),
			}
			if !plain {
				s.Title, s.Metadata = "title", map[string]string{"a": id}
				s.Preferences = &structpb.Struct{Fields: map[string]*structpb.Value{"b": structpb.NewNumberValue(2)}}
			}
			add := place(s, list, nil, now)
			add.Changes = append([]store.Change{{Version: 1, Kind: store.Created}}, add.Changes...)
			err := tx.Insert(ctx, s, add)
			if errors.Is(err, store.ErrExists) { // it is looked at within the transaction
				if s, err = tx.Session(ctx, owner, id); err == nil {
					err = store.ErrExists
				}
			}
			return err
		})
		if err == nil {
			w.given(s.Key)
		}
		return told{Session: w.named(s), Error: failure(err)}
	}
}

// change changes a session in a transaction.
func (r *script) change(fn func(ctx context.Context, tx store.Tx, s *store.Session, out *told) error) step {
	id, owner, place, byKey, undo := r.id(), r.owner(), r.IntN(20), r.IntN(6) == 0, r.IntN(15) == 0
	return func(ctx context.Context, w *world) any {
		var out told
		err := w.Write(ctx, func(ctx context.Context, tx store.Tx) error {
			out = told{}
			var s *store.Session
			var err error
			if byKey {
				s, err = tx.SessionByKey(ctx, w.key(place))
			} else {
				s, err = tx.Session(ctx, owner, id)
			}
			if err != nil {
				return err
			}
			if err := fn(ctx, tx, s, &out); err != nil {
				return err
			}
			if out.Session = w.named(s); undo {
				return errRefused
			}
			return nil
		})
		out.Error = failure(err)
		return out
	}
}

func (r *script) append() step {
	list, now := r.messages(4), r.now
	return r.change(func(ctx context.Context, tx store.Tx, s *store.Session, out *told) error {
		chosen := make([]string, len(list))
		for i := range list {
			chosen[i] = list[i].ID
		}
		var err error
		if out.Present, err = tx.MessagesByID(ctx, s.Key, chosen); err != nil {
			return err
		}
		add := place(s, list, out.Present, now)
		if len(add.Messages) == 0 {
			return nil
		}
		return tx.Save(ctx, s, add)
	})
}

func (r *script) update() step {
	title, end, now, twice := fmt.Sprint("title ", r.IntN(9)), r.IntN(9) == 0, r.now, r.IntN(5) == 0
	return r.change(func(ctx context.Context, tx store.Tx, s *store.Session, _ *told) error {
		s.Version++
		s.UpdateTime, s.Title = now, title
		kind := store.Updated
		if end && s.State == store.Active {
			s.State, s.EndTime, kind = store.Ended, now, store.Finished
		}
		if err := tx.Save(ctx, s, store.Addition{Changes: []store.Change{{Version: s.Version, Kind: kind}}}); err != nil || !twice {
			return err
		}
		s, err := tx.SessionByKey(ctx, s.Key)
		if err != nil {
			return err
		}
		s.Version++
		s.Metadata = map[string]string{"again": title}
		return tx.Save(ctx, s, store.Addition{Changes: []store.Change{{Version: s.Version, Kind: store.Updated}}})
	})
}

func (r *script) delete() step {
	now := r.now
	return r.change(func(ctx context.Context, tx store.Tx, s *store.Session, _ *told) error {
		return tx.Delete(ctx, s, store.Tombstone{Key: s.Key, ID: s.ID, Owner: s.Owner, Version: s.Version + 1, DeleteTime: now})
	})
}

func (r *script) fork() step {
	from, to, owner, message, now := r.id(), r.id(), r.owner(), "", r.now
	if r.IntN(2) == 0 {
		message = fmt.Sprintf("m%d", r.IntN(60))
	}
	return func(ctx context.Context, w *world) any {
		var fork *store.Session
		err := w.Write(ctx, func(ctx context.Context, tx store.Tx) error {
			source, err := tx.Session(ctx, owner, from)
			if err != nil {
				return err
			}
			last := &store.Message{}
			if message != "" {
				found, err := tx.MessagesByID(ctx, source.Key, []string{message})
				if err != nil {
					return err
				}
				if last = found[message]; last == nil {
					return errRefused
				}
			} else if source.MessageCount > 0 {
				if last, err = tx.MessageAt(ctx, source.Key, source.MessageCount); err != nil {
					return err
				}
			}
			fork = source.Clone()
			fork.Key, fork.ID, fork.State, fork.EndTime = 0, to, store.Active, time.Time{}
			fork.CreateTime, fork.UpdateTime, fork.Version, fork.MessageCount = now, now, 1, 0
			fork.ForkedFromSession, fork.ForkedFromMessage = from, last.ID
			err = tx.Insert(ctx, fork, store.Addition{Changes: []store.Change{{Version: 1, Kind: store.Created}}})
			if err == nil && last.Position > 0 {
				err = tx.CopyMessages(ctx, source.Key, last.Position, fork)
			}
			return err
		})
		out := told{Error: failure(err)}
		if err == nil {
			w.given(fork.Key)
			out.Session = w.named(fork)
		}
		return out
	}
}

// both changes two sessions at once.
func (r *script) both() step {
	one, two, now := r.id(), r.id(), r.now
	return func(ctx context.Context, w *world) any {
		err := w.Write(ctx, func(ctx context.Context, tx store.Tx) error {
			for _, id := range []string{one, two} {
				s, err := tx.Session(ctx, owners[0], id)
				if err != nil {
					return err
				}
				s.Version++
				s.UpdateTime = now
				if err := tx.Save(ctx, s, store.Addition{Changes: []store.Change{{Version: s.Version, Kind: store.Updated}}}); err != nil {
					return err
				}
			}
			return nil
		})
		return told{Error: failure(err)}
	}
}

func (r *script) touch() step {
	places, at := make([]int, 1+r.IntN(3)), r.now.Add(time.Duration(r.IntN(3)-1)*time.Second)
	for i := range places {
		places[i] = r.IntN(30)
	}
	return func(ctx context.Context, w *world) any {
		var uses []store.Use
		for _, place := range places {
			uses = append(uses, store.Use{Key: w.key(place), At: at})
		}
		return told{Error: failure(w.Touch(ctx, uses))}
	}
}

func (r *script) read() step {
	id, owner, place, now := r.id(), r.owner(), r.IntN(12), r.now
	query := store.MessageQuery{System: r.IntN(6) == 0, NewestFirst: r.IntN(2) == 0, Limit: 1 + r.IntN(8)}
	query.NotSystem = !query.System && r.IntN(4) == 0
	if r.IntN(3) == 0 {
		query.After = int64(r.IntN(20))
	}
	if r.IntN(3) == 0 {
		query.Before = int64(r.IntN(30))
	}
	key := func(w *world) int64 { return w.key(place) }
	return []step{
		func(ctx context.Context, w *world) any {
			s, err := w.Session(ctx, owner, id)
			return told{Session: w.named(s), Error: failure(err)}
		},
		func(ctx context.Context, w *world) any {
			s, err := w.SessionByKey(ctx, key(w))
			return told{Session: w.named(s), Error: failure(err)}
		},
		func(ctx context.Context, w *world) any {
			q := query
			q.Key = key(w)
			list, err := w.Messages(ctx, q)
			return told{Messages: list, Error: failure(err)}
		},
		func(ctx context.Context, w *world) any { // as a turn reads its context
			s, err := w.Session(ctx, owner, id)
			if err != nil {
				return told{Error: failure(err)}
			}
			list, err := w.Messages(ctx, store.MessageQuery{Key: s.Key, Before: s.MessageCount + 1, NewestFirst: query.NewestFirst, Limit: query.Limit})
			return told{Session: w.named(s), Messages: list, Error: failure(err)}
		},
		func(ctx context.Context, w *world) any {
			list, err := w.Changes(ctx, key(w), query.After, query.Limit)
			versions, err2 := w.Versions(ctx, []int64{key(w)})
			out := told{Changes: list, Versions: map[int64]int64{}, Error: failure(errors.Join(err, err2))}
			for key, version := range versions {
				out.Versions[w.name[key]] = version
			}
			return out
		},
		func(ctx context.Context, w *world) any {
			a, err := w.Tombstone(ctx, owner, id)
			b, err2 := w.TombstoneByKey(ctx, key(w))
			a.Key, b.Key = w.name[a.Key], w.name[b.Key]
			return told{Stones: []store.Tombstone{a, b}, Error: failure(err) + failure(err2)}
		},
		func(ctx context.Context, w *world) any {
			list, err := w.Sessions(ctx, store.SessionQuery{Owner: owner, States: []sessionv1.Session_State{sessionv1.Session_STATE_ACTIVE}, Now: now, Limit: 100})
			out := told{Error: failure(err)}
			for _, s := range list {
				out.Sessions = append(out.Sessions, w.named(s))
			}
			keys, err := w.Due(ctx, now.Add(time.Hour), 100)
			for _, key := range keys {
				out.Keys = append(out.Keys, w.name[key])
			}
			out.Error += failure(err)
			return out
		},
	}[[]int{0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 5, 6}[r.IntN(18)]]
}

func (r *script) next() step {
	r.now = r.now.Add(time.Millisecond)
	switch n := r.IntN(100); {
	case n < 12:
		return r.insert()
	case n < 45:
		return r.append()
	case n < 51:
		return r.update()
	case n < 54:
		return r.delete()
	case n < 57:
		return r.fork()
	case n < 58:
		return r.both()
	case n < 63:
		return r.touch()
	}
	return r.read()
}

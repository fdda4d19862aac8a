// Package sqlite keeps requests in the embedded database.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
)

// Migrations make the tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Store implements store.Store.
type Store struct {
	db    *sqlite.DB
	fresh claims

	mu   sync.Mutex
	open map[string]begun // by id: rows that are not final, and that only this store makes so
}

// begun is a row as it was begun.
type begun struct {
	later *sqlite.Later // nil where the row is in its table
	head  sqlite.Values
}

// claims knows of ids that no row can have.
type claims interface{ Claim(id string) bool }

// New returns a store in db, whose tables must be there.
func New(db *sqlite.DB) *Store {
	return &Store{db: db, fresh: sqlite.NewFresh(db, "requests", "req"), open: map[string]begun{}}
}

// Ping implements store.Store. It waits for no rows that were written later.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.Read().QueryRowContext(ctx, "select 1").Scan(&one)
}

// Accept implements store.Store.
func (s *Store) Accept(ctx context.Context, r *requestv1.Request, instance string, key *store.Key) error {
	if key == nil {
		w, err := s.accept(ctx, r, instance)
		if w.later != nil {
			if err = w.later.Join(ctx); err != nil {
				s.take(r.GetId())
			}
		}
		return err
	}
	head := head(r, instance)
	defer head.Release()
	row, err := whole(head, r, false)
	if err != nil {
		return err
	}
	defer row.Values.Release()
	err = s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		result, err := tx.Exec(ctx, `insert into request_keys (owner, key, request_id, hash, expires_micros) values (?, ?, ?, ?, ?)
			on conflict (owner, key) do update
			set request_id = excluded.request_id, hash = excluded.hash, expires_micros = excluded.expires_micros
			where request_keys.expires_micros <= ? or request_keys.request_id = ?`,
			r.GetOwner(), key.Key, r.GetId(), key.Hash, store.Micros(key.Expires), store.Micros(key.Now), key.Replaces)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, store.ErrKeyTaken)
		}
		_, err = tx.Run(ctx, row)
		return err
	})
	if err == nil {
		s.mu.Lock()
		s.open[r.GetId()] = begun{}
		s.mu.Unlock()
	}
	return err
}

const insertSQL = `insert into requests (id, owner, user_id, session_id, instance, create_micros, state, answered, body)
	values (?, ?, ?, ?, ?, ?, ?, ?, ?)`

// head are the columns that a request keeps.
func head(r *requestv1.Request, instance string) sqlite.Values {
	v := sqlite.NewValues(10 + 12 + len(r.GetId()) + len(r.GetOwner()) + len(r.GetUserId()) + len(r.GetSessionId()) + len(instance))
	v.Text(r.GetId())
	v.Text(r.GetOwner())
	v.Text(r.GetUserId())
	v.Text(r.GetSessionId())
	v.Text(instance)
	v.Int(store.Micros(r.GetCreateTime().AsTime()))
	return v
}

// whole inserts a request with the head of its row.
func whole(head sqlite.Values, r *requestv1.Request, answered bool) (sqlite.Stmt, error) {
	v := head.Begin(bodyRoom)
	v.Int(int64(r.GetState()))
	v.Bool(answered)
	err := v.Message(r)
	return sqlite.Stmt{Query: insertSQL, Values: v, Row: true}, err
}

// bodyRoom is room for the body of a usual request.
const bodyRoom = 512

// AcceptLater implements store.Deferring.
func (s *Store) AcceptLater(ctx context.Context, r *requestv1.Request, instance string) (durable.Write, error) {
	w, err := s.accept(ctx, r, instance)
	if err != nil {
		return nil, err
	}
	return &w, nil
}

// accept adds a request without a key; without later where it is committed already.
func (s *Store) accept(ctx context.Context, r *requestv1.Request, instance string) (accepting, error) {
	head := head(r, instance)
	stmt, err := whole(head, r, false)
	if err != nil {
		return accepting{}, err
	}
	defer stmt.Values.Release()
	if !s.fresh.Claim(r.GetId()) {
		_, err := s.db.Run(ctx, stmt)
		return accepting{}, err
	}
	later, err := s.db.Later(ctx, stmt)
	if err != nil {
		return accepting{}, err
	}
	kept := head.Apart() // for as long as the answer takes
	s.mu.Lock()
	s.open[r.GetId()] = begun{later: later, head: kept}
	s.mu.Unlock()
	return accepting{store: s, id: r.GetId(), later: later}, nil
}

// accepting is a row on its way.
type accepting struct {
	store *Store
	id    string
	later *sqlite.Later // nil where it is committed
}

// Wait implements durable.Write.
func (a *accepting) Wait(ctx context.Context) error {
	if a.later == nil {
		return nil
	}
	return a.ended(ctx, a.later.Wait(ctx))
}

// Written implements durable.Write.
func (a *accepting) Written(ctx context.Context) error {
	if a.later == nil {
		return nil
	}
	return a.ended(ctx, a.later.Written(ctx))
}

// ended forgets a row that could not be written: there is nothing to finish.
func (a *accepting) ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && a.later.Withdrawn() {
		a.store.take(a.id)
	}
	return err
}

// take hands the finishing of a row to one caller.
func (s *Store) take(id string) (begun, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.open[id]
	delete(s.open, id)
	return b, ok
}

// Add implements store.Store.
func (s *Store) Add(ctx context.Context, r *requestv1.Request, instance string, answered bool) error {
	head := head(r, instance)
	defer head.Release()
	stmt, err := whole(head, r, answered)
	if err != nil {
		return err
	}
	defer stmt.Values.Release()
	if names := store.Experiments(r); len(names) > 0 {
		err = s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
			if _, err := tx.Run(ctx, stmt); err != nil {
				return err
			}
			return assign(ctx, tx, r, names)
		})
		if sqlite.IsUniqueViolation(err) {
			return store.ErrFinal
		}
		return err
	}
	if s.fresh.Claim(r.GetId()) {
		later, err := s.db.Later(ctx, stmt)
		if err != nil {
			return err
		}
		return later.Join(ctx)
	}
	_, err = s.db.Run(ctx, stmt)
	if sqlite.IsUniqueViolation(err) {
		return store.ErrFinal
	}
	return err
}

const finishSQL = "update requests set state = ?, answered = ?, body = ? where id = ? and state < 3"

// Finish implements store.Store.
func (s *Store) Finish(ctx context.Context, r *requestv1.Request, answered bool) error {
	end, err := finished(r, answered)
	if err != nil {
		return err
	}
	defer end.Values.Release()
	if names := store.Experiments(r); len(names) > 0 {
		s.take(r.GetId())
		return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
			changed, err := tx.Run(ctx, end)
			if err != nil {
				return err
			}
			if changed == 0 {
				return store.ErrFinal
			}
			return assign(ctx, tx, r, names)
		})
	}
	b, mine := s.take(r.GetId())
	if !mine {
		changed, err := s.db.Run(ctx, end)
		if err == nil && changed == 0 {
			return store.ErrFinal
		}
		return err
	}
	later, err := s.end(ctx, b, r, answered, end)
	if err == nil {
		err = later.Join(ctx)
	}
	if err != nil {
		s.mu.Lock()
		s.open[r.GetId()] = begun{head: b.head} // so that it can be tried again
		s.mu.Unlock()
		return err
	}
	b.head.Release()
	return nil
}

// finished makes a request final.
func finished(r *requestv1.Request, answered bool) (sqlite.Stmt, error) {
	v := sqlite.NewValues(bodyRoom + len(r.GetId()))
	v.Int(int64(r.GetState()))
	v.Bool(answered)
	if err := v.Message(r); err != nil {
		return sqlite.Stmt{}, err
	}
	v.Text(r.GetId())
	return sqlite.Stmt{Query: finishSQL, Values: v}, nil
}

// end makes a row final that only this store makes so: where it was not inserted
// yet, it is inserted as it is in the end, and else finished.
func (s *Store) end(ctx context.Context, b begun, r *requestv1.Request, answered bool, finished sqlite.Stmt) (*sqlite.Later, error) {
	if b.later != nil {
		row, err := whole(b.head, r, answered)
		if err != nil {
			return nil, err
		}
		defer row.Values.Release()
		later, ok, err := s.db.Instead(ctx, b.later, row)
		if err != nil || ok {
			return later, err
		}
	}
	return s.db.Later(ctx, finished)
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, owner, id string) (store.Record, error) {
	var record store.Record
	var body []byte
	err := s.db.QueryRow(ctx, "select body, answered from requests where id = ? and owner = ?", id, owner).
		Scan(&body, &record.Answered)
	if errors.Is(err, sql.ErrNoRows) {
		return record, store.ErrNotFound
	}
	if err != nil {
		return record, err
	}
	record.Request, err = store.Decode(body)
	return record, err
}

// ByKey implements store.Store.
func (s *Store) ByKey(ctx context.Context, owner, key string, now time.Time) (store.Record, error) {
	var record store.Record
	var body []byte
	err := s.db.QueryRow(ctx, `select r.body, r.answered, k.hash from request_keys k join requests r on r.id = k.request_id
		where k.owner = ? and k.key = ? and k.expires_micros > ?`, owner, key, store.Micros(now)).
		Scan(&body, &record.Answered, &record.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return record, store.ErrNotFound
	}
	if err != nil {
		return record, err
	}
	record.Request, err = store.Decode(body)
	return record, err
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, filter store.Filter, limit int) ([]*requestv1.Request, error) {
	where, args := filter.Where(func(int) string { return "?" })
	rows, err := s.db.Select(ctx,
		"select body from requests where "+where+fmt.Sprintf(" order by create_micros desc, id desc limit %d", limit), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows.Next, rows.Scan, rows.Err)
}

// collect decodes the bodies of rows.
func collect(next func() bool, scan func(...any) error, failed func() error) ([]*requestv1.Request, error) {
	var list []*requestv1.Request
	for next() {
		var body []byte
		if err := scan(&body); err != nil {
			return nil, err
		}
		r, err := store.Decode(body)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, failed()
}

// Now implements store.Store.
func (s *Store) Now(context.Context) (time.Time, error) { return time.Now(), nil }

// Heartbeat implements store.Store.
func (s *Store) Heartbeat(ctx context.Context, instance string, now, deadBefore time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		if _, err := tx.Exec(ctx, `insert into request_instances (id, seen_micros) values (?, ?)
			on conflict (id) do update set seen_micros = excluded.seen_micros`, instance, store.Micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "delete from request_instances where seen_micros < ?", store.Micros(deadBefore))
		return err
	})
}

// Orphans implements store.Store.
func (s *Store) Orphans(ctx context.Context, except string, deadBefore time.Time, all bool, limit int) ([]*requestv1.Request, error) {
	rows, err := s.db.Query(ctx, `select body from requests where state < 3 and instance <> ? and (? or not exists
		(select 1 from request_instances i where i.id = requests.instance and i.seen_micros >= ?)) limit ?`,
		except, all, store.Micros(deadBefore), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows.Next, rows.Scan, rows.Err)
}

// DropKeys implements store.Store.
func (s *Store) DropKeys(ctx context.Context, now time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		_, err := tx.Exec(ctx, "delete from request_keys where expires_micros <= ?", store.Micros(now))
		return err
	})
}

// Expire implements store.Store. Ids sort by time, so that the primary key finds
// the oldest.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.db.Exec(ctx, `delete from requests where id in (select id from requests
		where id < ? and state > 2 and create_micros < ? order by id limit ?)`, ids.Lowest("req", before), store.Micros(before), limit)
	return int(n), err
}

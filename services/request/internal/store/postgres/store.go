// Package postgres keeps requests in PostgreSQL.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
)

// Migrations make the tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Store implements store.Store.
type Store struct {
	db *postgres.DB

	accept, add, finish string // statements that share commits
}

// New returns a store in db, whose tables must be there.
func New(db *postgres.DB) *Store {
	table := db.Table("requests")
	return &Store{
		db:     db,
		accept: "insert into " + table + " (id, owner, user_id, session_id, state, instance, create_micros, body) values",
		add:    "insert into " + table + " (id, owner, user_id, session_id, state, instance, answered, create_micros, body) values",
		finish: "update " + table + " set state = $1, answered = $2, body = $3 where id = $4 and state < 3",
	}
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.Pool().QueryRow(ctx, "select 1").Scan(&one)
}

// Accept implements store.Store.
func (s *Store) Accept(ctx context.Context, r *requestv1.Request, instance string, key *store.Key) error {
	body, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	args := []any{r.GetId(), r.GetOwner(), r.GetUserId(), r.GetSessionId(),
		int32(r.GetState()), instance, store.Micros(r.GetCreateTime().AsTime()), body}
	if key == nil {
		return s.db.Commit(ctx, postgres.Stmt{Query: s.accept, Args: args, Row: true})
	}
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		result, err := tx.Exec(ctx, `insert into request_keys (owner, key, request_id, hash, expires_micros) values ($1, $2, $3, $4, $5)
			on conflict (owner, key) do update
			set request_id = excluded.request_id, hash = excluded.hash, expires_micros = excluded.expires_micros
			where request_keys.expires_micros <= $6 or request_keys.request_id = $7`,
			r.GetOwner(), key.Key, r.GetId(), key.Hash, store.Micros(key.Expires), store.Micros(key.Now), key.Replaces)
		if err != nil {
			return err
		}
		if result.RowsAffected() == 0 {
			return store.ErrKeyTaken
		}
		_, err = tx.Exec(ctx, s.accept+" ($1, $2, $3, $4, $5, $6, $7, $8)", args...)
		return err
	})
}

// Add implements store.Store.
func (s *Store) Add(ctx context.Context, r *requestv1.Request, instance string, answered bool) error {
	body, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	args := []any{r.GetId(), r.GetOwner(), r.GetUserId(), r.GetSessionId(),
		int32(r.GetState()), instance, answered, store.Micros(r.GetCreateTime().AsTime()), body}
	if names := store.Experiments(r); len(names) > 0 {
		err = s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, s.add+" ($1, $2, $3, $4, $5, $6, $7, $8, $9)", args...); err != nil {
				return err
			}
			return assign(ctx, tx, r, names)
		})
	} else {
		err = s.db.Commit(ctx, postgres.Stmt{Query: s.add, Args: args, Row: true})
	}
	if postgres.IsUniqueViolation(err) {
		return store.ErrFinal
	}
	return err
}

// Finish implements store.Store.
func (s *Store) Finish(ctx context.Context, r *requestv1.Request, answered bool) error {
	body, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	args, names := []any{int32(r.GetState()), answered, body, r.GetId()}, store.Experiments(r)
	if len(names) == 0 {
		err = s.db.Commit(ctx, postgres.Stmt{Query: s.finish, Args: args, Must: true})
		if errors.Is(err, postgres.ErrUnchanged) {
			return store.ErrFinal
		}
		return err
	}
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		result, err := tx.Exec(ctx, s.finish, args...)
		if err != nil {
			return err
		}
		if result.RowsAffected() == 0 {
			return store.ErrFinal
		}
		return assign(ctx, tx, r, names)
	})
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, owner, id string) (store.Record, error) {
	var record store.Record
	var body []byte
	err := s.db.Pool().QueryRow(ctx, "select body, answered from requests where id = $1 and owner = $2", id, owner).
		Scan(&body, &record.Answered)
	if errors.Is(err, pgx.ErrNoRows) {
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
	err := s.db.Pool().QueryRow(ctx, `select r.body, r.answered, k.hash from request_keys k join requests r on r.id = k.request_id
		where k.owner = $1 and k.key = $2 and k.expires_micros > $3`, owner, key, store.Micros(now)).
		Scan(&body, &record.Answered, &record.Hash)
	if errors.Is(err, pgx.ErrNoRows) {
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
	where, args := filter.Where(func(n int) string { return fmt.Sprint("$", n) })
	rows, err := s.db.Pool().Query(ctx,
		"select body from requests where "+where+fmt.Sprintf(" order by create_micros desc, id desc limit %d", limit), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows)
}

// collect decodes the bodies of rows.
func collect(rows pgx.Rows) ([]*requestv1.Request, error) {
	var list []*requestv1.Request
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		r, err := store.Decode(body)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Now implements store.Store.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.db.Pool().QueryRow(ctx, "select clock_timestamp()").Scan(&now)
	return now, err
}

// Heartbeat implements store.Store.
func (s *Store) Heartbeat(ctx context.Context, instance string, now, deadBefore time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into request_instances (id, seen_micros) values ($1, $2)
			on conflict (id) do update set seen_micros = excluded.seen_micros`, instance, store.Micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "delete from request_instances where seen_micros < $1", store.Micros(deadBefore))
		return err
	})
}

// Orphans implements store.Store.
func (s *Store) Orphans(ctx context.Context, except string, deadBefore time.Time, all bool, limit int) ([]*requestv1.Request, error) {
	rows, err := s.db.Pool().Query(ctx, `select body from requests where state < 3 and instance <> $1 and ($2::boolean or not exists
		(select 1 from request_instances i where i.id = requests.instance and i.seen_micros >= $3)) limit $4`,
		except, all, store.Micros(deadBefore), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows)
}

// DropKeys implements store.Store.
func (s *Store) DropKeys(ctx context.Context, now time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "delete from request_keys where expires_micros <= $1", store.Micros(now))
		return err
	})
}

// Expire implements store.Store. Ids sort by time, so that the primary key finds
// the oldest.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	result, err := s.db.Pool().Exec(ctx, `delete from requests where id in (select id from requests
		where id < $1 and state > 2 and create_micros < $2 order by id limit $3)`, ids.Lowest("req", before), store.Micros(before), limit)
	return int(result.RowsAffected()), err
}

// Package postgres keeps answers in PostgreSQL.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/jackc/pgx/v5"
)

// Migrations make the tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Store implements store.Store.
type Store struct {
	db *postgres.DB

	// Statements that share commits.
	begin, finish, add, log, dropJournal, journal, settle string
}

// New returns a store in db, whose tables must be there.
func New(db *postgres.DB) *Store {
	responses, journal := db.Table("responses"), db.Table("response_journal")
	return &Store{
		db:    db,
		begin: "insert into " + responses + " (id, owner, request_id, session_id, state, instance, create_micros, head) values",
		finish: "update " + responses + ` set state = $1, finish_micros = $2, last_sequence = $3, head = $4, messages = $5, session_intent = $6
			where id = $7 and state = 1`,
		add: "insert into " + responses + ` (id, owner, request_id, session_id, state, instance, create_micros,
			finish_micros, last_sequence, head, messages, session_intent) values`,
		log:         "insert into " + db.Table("response_logs") + " (response_id, first_sequence, frames) values",
		dropJournal: "delete from " + journal + " where response_id = $1",
		journal: "insert into " + journal + ` (response_id, first_sequence, last_sequence, frames)
			select p.id, p.first, p.last, p.frames from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[]) as p(id, first, last, frames)
			join ` + responses + ` r on r.id = p.id and r.state = 1
			on conflict (response_id, first_sequence) do update set last_sequence = excluded.last_sequence, frames = excluded.frames`,
		settle: "update " + responses + " set session_intent = null, session_note = $1 where id = any($2)",
	}
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.Pool().QueryRow(ctx, "select 1").Scan(&one)
}

// Begin implements store.Store.
func (s *Store) Begin(ctx context.Context, response *responsev1.Response, instance string) error {
	c, err := store.ToColumns(response)
	if err != nil {
		return err
	}
	err = s.db.Commit(ctx, postgres.Stmt{
		Query: s.begin, Args: []any{c.ID, c.Owner, c.RequestID, c.SessionID, c.State, instance, c.Create, c.Head}, Row: true,
	})
	if postgres.IsUniqueViolation(err) {
		return store.ErrExists
	}
	return err
}

// Finish implements store.Store.
func (s *Store) Finish(ctx context.Context, final store.Final) error {
	c, err := store.ToColumns(final.Response)
	if err != nil {
		return err
	}
	log, err := final.PackedLog()
	if err != nil {
		return err
	}
	list := s.finished(c, log, final.Intent, final.Journaled)
	if final.BegunBy != "" {
		list[0].Query += " and instance = $8 and create_micros = $9 and owner = $10 and request_id = $11"
		list[0].Args = append(list[0].Args, final.BegunBy, c.Create, c.Owner, c.RequestID)
	}
	err = s.db.Commit(ctx, list...)
	if errors.Is(err, postgres.ErrUnchanged) {
		return store.ErrNotRunning
	}
	return err
}

// finished makes a running answer final.
func (s *Store) finished(c store.Columns, log, intent []byte, journaled bool) []postgres.Stmt {
	list := append(make([]postgres.Stmt, 0, 3), postgres.Stmt{
		Query: s.finish, Args: []any{c.State, c.Finish, c.LastSequence, c.Head, nullable(c.Messages), nullable(intent), c.ID}, Must: true,
	})
	if len(log) > 0 {
		list = append(list, postgres.Stmt{Query: s.log, Args: []any{c.ID, int64(1), log}, Row: true})
	}
	if journaled {
		list = append(list, postgres.Stmt{Query: s.dropJournal, Args: []any{c.ID}})
	}
	return list
}

// Add implements store.Store.
func (s *Store) Add(ctx context.Context, final store.Final, instance string) error {
	c, err := store.ToColumns(final.Response)
	if err != nil {
		return err
	}
	log, err := final.PackedLog()
	if err != nil {
		return err
	}
	list := append(make([]postgres.Stmt, 0, 2), postgres.Stmt{
		Query: s.add, Args: []any{c.ID, c.Owner, c.RequestID, c.SessionID, c.State, instance, c.Create,
			c.Finish, c.LastSequence, c.Head, nullable(c.Messages), nullable(final.Intent)}, Row: true,
	})
	if len(log) > 0 {
		list = append(list, postgres.Stmt{Query: s.log, Args: []any{c.ID, int64(1), log}, Row: true})
	}
	err = s.db.Commit(ctx, list...)
	if postgres.IsUniqueViolation(err) {
		return store.ErrExists
	}
	return err
}

// nullable is nil for nothing, which a bytea column takes for null.
func nullable(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, owner, id string) (store.Record, error) {
	var head, messages []byte
	var record store.Record
	err := s.db.Pool().QueryRow(ctx, "select head, messages, instance, session_note from responses where id = $1 and owner = $2", id, owner).
		Scan(&head, &messages, &record.Instance, &record.SessionNote)
	if errors.Is(err, pgx.ErrNoRows) {
		return record, store.ErrNotFound
	}
	if err != nil {
		return record, err
	}
	record.Response, err = store.FromColumns(head, messages)
	return record, err
}

// Log implements store.Store.
func (s *Store) Log(ctx context.Context, id string) ([]byte, error) {
	rows, err := s.db.Pool().Query(ctx, "select frames from response_logs where response_id = $1 order by first_sequence", id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var frames []byte
	for rows.Next() {
		var packed []byte
		if err := rows.Scan(&packed); err != nil {
			return nil, err
		}
		piece, err := store.UnpackLog(packed)
		if err != nil {
			return nil, err
		}
		frames = append(frames, piece...)
	}
	return frames, rows.Err()
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, filter store.Filter, limit int) ([]*responsev1.Response, error) {
	where, args := filter.Where(func(n int) string { return fmt.Sprint("$", n) })
	rows, err := s.db.Pool().Query(ctx,
		"select head from responses where "+where+fmt.Sprintf(" order by create_micros desc, id desc limit %d", limit), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*responsev1.Response
	for rows.Next() {
		var head []byte
		if err := rows.Scan(&head); err != nil {
			return nil, err
		}
		r, err := store.FromColumns(head, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, owner, id string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var state int32
		err := tx.QueryRow(ctx, "select state from responses where id = $1 and owner = $2", id, owner).Scan(&state)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case state == int32(responsev1.Response_STATE_RUNNING):
			return store.ErrRunning
		}
		for _, table := range []string{"response_logs", "response_journal"} {
			if _, err := tx.Exec(ctx, "delete from "+table+" where response_id = $1", id); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "delete from responses where id = $1", id)
		return err
	})
}

// RequestCancel implements store.Store.
func (s *Store) RequestCancel(ctx context.Context, owner, id string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		result, err := tx.Exec(ctx, "update responses set cancel_asked = true where id = $1 and owner = $2", id, owner)
		if err != nil {
			return err
		}
		if result.RowsAffected() == 0 {
			return store.ErrNotFound
		}
		return nil
	})
}

// CancelRequested implements store.Store.
func (s *Store) CancelRequested(ctx context.Context, instance string) ([]string, error) {
	rows, err := s.db.Pool().Query(ctx, "select id from responses where instance = $1 and state = 1 and cancel_asked", instance)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// Pending implements store.Store.
func (s *Store) Pending(ctx context.Context, before time.Time, limit int) ([]store.Intent, error) {
	rows, err := s.db.Pool().Query(ctx, `select id, owner, session_intent from responses
		where session_intent is not null and finish_micros < $1 order by finish_micros limit $2`, store.Micros(before), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []store.Intent
	for rows.Next() {
		var intent store.Intent
		if err := rows.Scan(&intent.ResponseID, &intent.Owner, &intent.Request); err != nil {
			return nil, err
		}
		list = append(list, intent)
	}
	return list, rows.Err()
}

// Settle implements store.Store.
func (s *Store) Settle(ctx context.Context, ids []string, note string) error {
	return s.db.Commit(ctx, postgres.Stmt{Query: s.settle, Args: []any{note, ids}})
}

// Now implements store.Store.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.db.Pool().QueryRow(ctx, "select clock_timestamp()").Scan(&now)
	return now, err
}

// Heartbeat implements store.Store.
func (s *Store) Heartbeat(ctx context.Context, instance string, now, deadBefore time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into response_instances (id, seen_micros) values ($1, $2)
			on conflict (id) do update set seen_micros = excluded.seen_micros`, instance, store.Micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "delete from response_instances where seen_micros < $1", store.Micros(deadBefore))
		return err
	})
}

// orphansSQL finds what dead instances have left.
const orphansSQL = `select id, head from responses where state = 1 and instance <> $1 and ($2::boolean or not exists
	(select 1 from response_instances i where i.id = responses.instance and i.seen_micros >= $3))
	and ($4::text[] is null or id = any($4)) limit $5`

// orphansOf are its arguments.
func orphansOf(sweep store.Sweep) []any {
	return []any{sweep.Except, sweep.All, store.Micros(sweep.DeadBefore), sweep.Of, sweep.Limit}
}

// Orphans implements store.Store.
func (s *Store) Orphans(ctx context.Context, sweep store.Sweep) ([]*responsev1.Response, error) {
	rows, err := s.db.Pool().Query(ctx, orphansSQL, orphansOf(sweep)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*responsev1.Response
	for rows.Next() {
		var o orphan
		if err := rows.Scan(&o.id, &o.head); err != nil {
			return nil, err
		}
		r, err := store.FromColumns(o.head, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Interrupt implements store.Store.
func (s *Store) Interrupt(ctx context.Context, sweep store.Sweep) (int, error) {
	done := 0
	err := s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		done = 0 // a transaction may run again
		rows, err := tx.Query(ctx, orphansSQL+" for update skip locked", orphansOf(sweep)...)
		if err != nil {
			return err
		}
		var found []orphan
		for rows.Next() {
			var o orphan
			if err := rows.Scan(&o.id, &o.head); err != nil {
				return err
			}
			found = append(found, o)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, o := range found {
			pieces, err := tx.Query(ctx, "select frames from response_journal where response_id = $1 order by first_sequence", o.id)
			if err != nil {
				return err
			}
			frames, err := join(pieces)
			if err != nil {
				return err
			}
			c, log, err := sweep.Interrupted(o.head, frames)
			if err != nil {
				return err
			}
			for _, stmt := range s.finished(c, log, nil, true) {
				if err := postgres.Run(ctx, tx, stmt); err != nil {
					return err
				}
			}
			done++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return done, nil
}

// orphan is an answer that a dead instance left.
type orphan struct {
	id   string
	head []byte
}

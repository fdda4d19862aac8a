// Package sqlite keeps the ledger in the embedded database, which one process
// owns: at its start every reserved row is an orphan.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"strings"
	"sync"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the migrations of this store.
func Migrations() fs.FS { return migrations }

// Store is the ledger in SQLite.
type Store struct {
	db    *sqlite.DB
	fresh claims

	mu       sync.Mutex
	reserved map[string]reservation // by id: rows that only this store can settle
	used     progress
}

// claims knows of ids that no row can have.
type claims interface{ Claim(id string) bool }

// reservation is a row as it was reserved.
type reservation struct {
	later    *sqlite.Later
	kept     sqlite.Values
	apart    bool // kept lies in memory of its size
	instance string
}

var _ store.Deferring = (*Store)(nil)

// New returns the ledger in db, which must be migrated.
func New(db *sqlite.DB) *Store {
	return &Store{db: db, fresh: sqlite.NewFresh(db, "attempts", "att"), reserved: map[string]reservation{}}
}

// Reserve implements store.Store.
func (s *Store) Reserve(ctx context.Context, attempt *gptv1.Attempt, instance string) error {
	w, err := s.ReserveLater(ctx, attempt, instance)
	if err != nil {
		return err
	}
	return w.Wait(context.WithoutCancel(ctx))
}

// ReserveLater implements store.Deferring.
func (s *Store) ReserveLater(ctx context.Context, attempt *gptv1.Attempt, instance string) (store.Reservation, error) {
	kept := keptValues(attempt, instance)
	row := reserved(kept, attempt)
	defer row.Values.Release()
	if !s.fresh.Claim(attempt.GetId()) {
		if _, err := s.db.Run(ctx, row); err != nil {
			return nil, wrap(err)
		}
		return &reserving{over: true}, nil
	}
	later, err := s.db.Later(ctx, row)
	if err != nil {
		return nil, wrap(err)
	}
	s.mu.Lock()
	s.reserved[attempt.GetId()] = reservation{later: later, kept: kept, instance: instance}
	s.mu.Unlock()
	return &reserving{store: s, id: attempt.GetId(), later: later}, nil
}

// reserving is a row on its way.
type reserving struct {
	store *Store
	id    string
	later *sqlite.Later

	mu   sync.Mutex
	over bool
	err  error // once over
}

// Wait implements durable.Write.
func (r *reserving) Wait(ctx context.Context) error { return r.wait(ctx, true) }

// Written implements store.Reservation.
func (r *reserving) Written(ctx context.Context) error { return r.wait(ctx, false) }

func (r *reserving) wait(ctx context.Context, committed bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return r.err
	}
	until := r.later.Written
	if committed {
		until = r.later.Wait
	}
	err := until(ctx)
	if err != nil && ctx.Err() != nil {
		return err
	}
	r.over = committed || err != nil
	if err != nil {
		r.store.take(r.id) // there is no row to settle
		r.err = wrap(err)
	}
	return r.err
}

// Failure implements store.Reservation.
func (r *reserving) Failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Settle implements store.Store.
func (s *Store) Settle(ctx context.Context, attempt *gptv1.Attempt) (bool, error) {
	failure, err := store.Failure(attempt)
	if err != nil {
		return false, fault.Internal(err)
	}
	r, mine := s.take(attempt.GetId())
	if !mine {
		changed, err := s.db.Run(ctx, settled(attempt, failure))
		return changed == 1, wrap(err)
	}
	row := whole(settledSQL, r.kept, attempt, failure)
	defer row.Values.Release()
	later, ok, err := s.db.Instead(ctx, r.later, row)
	if err == nil && !ok {
		if r.later.Withdrawn() {
			return false, nil
		}
		end := settled(attempt, failure)
		defer end.Values.Release()
		later, err = s.db.Later(ctx, end)
	}
	if err == nil {
		err = later.Join(ctx)
	}
	if err != nil {
		s.mu.Lock()
		s.reserved[attempt.GetId()] = r // so that it can be tried again
		s.mu.Unlock()
		return false, wrap(err)
	}
	r.kept.Release()
	return true, nil
}

// SettleWhole implements store.Store.
func (s *Store) SettleWhole(ctx context.Context, attempt *gptv1.Attempt, instance string) (bool, error) {
	s.mu.Lock()
	_, mine := s.reserved[attempt.GetId()]
	s.mu.Unlock()
	if mine {
		return s.Settle(ctx, attempt)
	}
	failure, err := store.Failure(attempt)
	if err != nil {
		return false, fault.Internal(err)
	}
	changed, err := s.db.Run(ctx, whole(settleWholeSQL, keptValues(attempt, instance), attempt, failure))
	return changed == 1, wrap(err)
}

// take hands the settling of a row to one caller.
func (s *Store) take(id string) (reservation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.reserved[id]
	delete(s.reserved, id)
	return r, ok
}

var dialect = store.Dialect{
	Day: "date(reserve_micros / 1000000, 'unixepoch')", Place: func(int) string { return "?" },
}

// Usage implements store.Store.
func (s *Store) Usage(ctx context.Context, query store.Query) (groups []*gptv1.UsageGroup, err error) {
	text, args := query.SQL(dialect)
	rows, err := s.db.Select(ctx, text, args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		group, to := store.ScanGroup(len(query.GroupBy))
		if err := rows.Scan(to...); err != nil {
			return nil, wrap(err)
		}
		groups = append(groups, group)
	}
	return groups, wrap(rows.Err())
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, filter store.Filter) (attempts []*gptv1.Attempt, err error) {
	where, args := []string{"owner = ?"}, []any{filter.Owner}
	add := func(condition string, value any) { where, args = append(where, condition), append(args, value) }
	if filter.RequestID != "" {
		// The second terms let SQLite take the indexes of those that have one.
		add("request_id = ? AND request_id <> ''", filter.RequestID)
	}
	if filter.SessionID != "" {
		add("session_id = ? AND session_id <> ''", filter.SessionID)
	}
	if filter.Provider != "" {
		add("provider = ?", filter.Provider)
	}
	if filter.Model != "" {
		add("model = ?", filter.Model)
	}
	if filter.SettledOnly {
		add("state = ?", 2)
	}
	if !filter.After.IsZero() {
		add("reserve_micros >= ?", filter.After.UnixMicro())
	}
	if !filter.Before.IsZero() {
		add("reserve_micros < ?", filter.Before.UnixMicro())
	}
	if filter.Cursor != "" {
		add("id < ?", filter.Cursor)
	}
	args = append(args, filter.Limit)
	// One of 256 texts, of which few are used, so each is worth keeping prepared.
	rows, err := s.db.Query(ctx, "SELECT "+store.Columns+" FROM attempts WHERE "+strings.Join(where, " AND ")+" ORDER BY id DESC LIMIT ?", args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	return collect(rows)
}

func collect(rows *sql.Rows) (attempts []*gptv1.Attempt, err error) {
	for rows.Next() {
		row := &store.Row{}
		if err := rows.Scan(row.Scan()...); err != nil {
			return nil, wrap(err)
		}
		attempt, err := row.Attempt()
		if err != nil {
			return nil, fault.Internal(err)
		}
		attempts = append(attempts, attempt)
	}
	return attempts, wrap(rows.Err())
}

// Expire implements store.Store. Ids sort by the time of reservation.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE id < ? AND reserve_micros < ? AND state = 2 ORDER BY id LIMIT ?)`,
		ids.Lowest("att", before), before.UnixMicro(), limit)
	return int(n), wrap(err)
}

// Beat implements store.Store. Nobody else reads it here.
func (s *Store) Beat(context.Context, string) error { return nil }

// Leave implements store.Store.
func (s *Store) Leave(context.Context, string) error { return nil }

const orphansSQL = `UPDATE attempts SET state = 2, outcome = ?, usage_source = ?, settle_micros = ? WHERE state = 1 AND instance <> ?`

// SettleOrphans implements store.Store.
func (s *Store) SettleOrphans(ctx context.Context, self string, _ time.Duration, now time.Time) (int, error) {
	s.mu.Lock()
	for id, r := range s.reserved {
		if r.instance != self {
			delete(s.reserved, id)
		}
	}
	s.mu.Unlock()
	changed, err := s.db.Exec(ctx, orphansSQL, int32(gptv1.Attempt_OUTCOME_UNKNOWN),
		int32(conversationv1.UsageSource_USAGE_SOURCE_PARTIAL), now.UnixMicro(), self)
	return int(changed), wrap(err)
}

func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case sqlite.IsConstraintViolation(err):
		return fault.Internal(err)
	}
	if f := fault.From(err); f.Reason == cancelled || f.Reason == deadline {
		return f
	}
	return fault.StoreUnavailable("gpt", err)
}

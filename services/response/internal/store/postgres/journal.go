package postgres

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/jackc/pgx/v5"
)

// Journal implements store.Store.
func (s *Store) Journal(ctx context.Context, pieces []store.Piece) error {
	names, first, last, frames := make([]string, len(pieces)), make([]int64, len(pieces)), make([]int64, len(pieces)), make([][]byte, len(pieces))
	for i, p := range pieces {
		names[i], first[i], last[i], frames[i] = p.ResponseID, p.First, p.Last, p.Frames
	}
	return s.db.Commit(ctx, postgres.Stmt{Query: s.journal, Args: []any{names, first, last, frames}})
}

// Follow implements store.Store.
func (s *Store) Follow(ctx context.Context, owner, id string, after int64) (running bool, frames []byte, err error) {
	rows, err := s.db.Pool().Query(ctx, `select r.state = 1, j.frames from responses r
		left join response_journal j on r.state = 1 and j.response_id = r.id and j.last_sequence > $1
		where r.id = $2 and r.owner = $3 order by j.first_sequence`, after, id, owner)
	if err != nil {
		return false, nil, err
	}
	defer rows.Close()
	found := false
	for rows.Next() {
		var piece []byte
		if err := rows.Scan(&running, &piece); err != nil {
			return false, nil, err
		}
		frames, found = append(frames, piece...), true
	}
	if err := rows.Err(); err != nil {
		return false, nil, err
	}
	if !found {
		return false, nil, store.ErrNotFound
	}
	return running, frames, nil
}

// join reads rows of frames to their end.
func join(rows pgx.Rows) ([]byte, error) {
	defer rows.Close()
	var frames []byte
	for rows.Next() {
		var piece []byte
		if err := rows.Scan(&piece); err != nil {
			return nil, err
		}
		frames = append(frames, piece...)
	}
	return frames, rows.Err()
}

// Tidy implements store.Store.
func (s *Store) Tidy(ctx context.Context, limit int) (int, error) {
	result, err := s.db.Pool().Exec(ctx, `delete from response_journal where (response_id, first_sequence) in (
		select response_id, first_sequence from response_journal j where not exists
			(select 1 from responses r where r.id = j.response_id and r.state = 1) limit $1)`, limit)
	return int(result.RowsAffected()), err
}

// Expire implements store.Store. Ids that rooms make sort by time, so that the
// primary key finds the oldest.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	result, err := s.db.Pool().Exec(ctx, `with old as (
			delete from responses where id in (select id from responses
				where id < $1 and state > 1 and create_micros < $2 and session_intent is null order by id limit $3)
			returning id)
		, logs as (delete from response_logs where response_id in (select id from old))
		select id from old`, ids.Lowest("resp", before), store.Micros(before), limit)
	return int(result.RowsAffected()), err
}

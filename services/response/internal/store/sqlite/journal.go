package sqlite

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// Journal implements store.Store.
func (s *Store) Journal(ctx context.Context, pieces []store.Piece) error {
	list := make([]sqlite.Stmt, 0, len(pieces))
	for _, p := range pieces {
		list = append(list, sqlite.Stmt{
			Query: pieceSQL, Args: []any{p.ResponseID, p.First, p.Last, p.Frames, p.ResponseID}, Key: p.ResponseID, Join: joinPieces,
		})
	}
	later, err := s.db.Later(ctx, list...)
	if err != nil {
		return err
	}
	return later.Join(ctx)
}

const pieceSQL = `insert into response_journal (response_id, first_sequence, last_sequence, frames)
	select ?, ?, ?, ? where exists (select 1 from responses where id = ? and state = 1)
	on conflict do update set last_sequence = excluded.last_sequence, frames = excluded.frames`

// joinPieces makes one piece of those that follow each other. They may be run
// behind the end of their answer: then they are not stored, since the answer does
// not run any more.
func joinPieces(pieces [][]any) [][]any {
	var out [][]any
	for i := 0; i < len(pieces); {
		first, last := pieces[i][1].(int64), pieces[i][2].(int64)
		size, end := len(pieces[i][3].([]byte)), i+1
		for ; end < len(pieces) && pieces[end][1].(int64) == last+1; end++ {
			last, size = pieces[end][2].(int64), size+len(pieces[end][3].([]byte))
		}
		if end == i+1 {
			out, i = append(out, pieces[i]), end
			continue
		}
		frames := make([]byte, 0, size)
		for _, piece := range pieces[i:end] {
			frames = append(frames, piece[3].([]byte)...)
		}
		id := pieces[i][0]
		out, i = append(out, []any{id, first, last, frames, id}), end
	}
	return out
}

// Follow implements store.Store.
func (s *Store) Follow(ctx context.Context, owner, id string, after int64) (running bool, frames []byte, err error) {
	rows, err := s.db.Query(ctx, `select r.state = 1, j.frames from responses r
		left join response_journal j on r.state = 1 and j.response_id = r.id and j.last_sequence > ?
		where r.id = ? and r.owner = ? order by j.first_sequence`, after, id, owner)
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
func join(rows *sqlite.Rows) ([]byte, error) {
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

// Expire implements store.Store. Ids that rooms make sort by time, so that the
// primary key finds the oldest.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	if _, err := s.db.Exec(ctx, `delete from response_journal where not exists
		(select 1 from responses r where r.id = response_journal.response_id and r.state = 1)`); err != nil {
		return 0, err
	}
	n, err := s.db.Exec(ctx, `delete from responses where id in (select id from responses
		where id < ? and state > 1 and create_micros < ? and session_intent is null order by id limit ?)`,
		ids.Lowest("resp", before), store.Micros(before), limit)
	return int(n), err
}

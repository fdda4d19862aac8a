package sqlite

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// Journal implements store.Store. The pieces go to the journal; what the table is to
// have of them is asked for when it is written, after some seconds or when somebody
// reads.
func (s *Store) Journal(ctx context.Context, pieces []store.Piece) error {
	buffer := scratch.Get().(*[]byte)
	defer giveBack(buffer)
	batch := (*buffer)[:0]
	for _, p := range pieces {
		batch = appendBatch(batch, p)
	}
	*buffer = batch
	later, err := s.db.Later(ctx, sqlite.Stmt{Query: batchSQL, Args: []any{batch}, Key: "pieces", Now: s.unstored})
	if err != nil {
		return err
	}
	return later.Join(ctx)
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
		if frames, err = unpackPiece(frames, piece); err != nil {
			return false, nil, err
		}
		found = true
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
		err := rows.Scan(&piece)
		if err == nil {
			frames, err = unpackPiece(frames, piece)
		}
		if err != nil {
			return nil, err
		}
	}
	return frames, rows.Err()
}

// Tidy implements store.Store.
func (s *Store) Tidy(ctx context.Context, limit int) (int, error) {
	n, err := s.db.Exec(ctx, `delete from response_journal where (response_id, first_sequence) in (
		select response_id, first_sequence from response_journal j where not exists
			(select 1 from responses r where r.id = j.response_id and r.state = 1) limit ?)`, limit)
	return int(n), err
}

// Expire implements store.Store. Ids that rooms make sort by time, so that the
// primary key finds the oldest.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.db.Exec(ctx, `delete from responses where id in (select id from responses
		where id < ? and state > 1 and create_micros < ? and id not in (select response_id from session_intents) order by id limit ?)`,
		ids.Lowest("resp", before), store.Micros(before), limit)
	return int(n), err
}

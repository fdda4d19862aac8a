package sqlite

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// intended notes that a row in order has an intent.
func (s *Store) intended(final store.Final) {
	if final.Intent != nil {
		s.intents.Add(1)
	}
}

// Pending implements store.Store. Where there are no intents, it does not ask: rows
// that were written later would be run for it.
func (s *Store) Pending(ctx context.Context, before time.Time, limit int) ([]store.Intent, error) {
	count := s.intents.Load()
	if s.settled.Load() == count {
		return nil, nil
	}
	list, some, err := s.pending(ctx, store.Micros(before), limit)
	if !some && err == nil {
		s.settled.Store(count)
	}
	return list, err
}

// pending reads the oldest intents and returns those that are old enough; some says
// whether there are any.
func (s *Store) pending(ctx context.Context, before int64, limit int) (list []store.Intent, some bool, err error) {
	rows, err := s.db.Query(ctx, `select id, owner, session_intent, finish_micros from responses
		where session_intent is not null order by finish_micros limit ?`, max(limit, 1))
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var intent store.Intent
		var finished int64
		if err := rows.Scan(&intent.ResponseID, &intent.Owner, &intent.Request, &finished); err != nil {
			return nil, some, err
		}
		if some = true; finished < before && len(list) < limit {
			list = append(list, intent)
		}
	}
	return list, some, rows.Err()
}

// Settle implements store.Store.
func (s *Store) Settle(ctx context.Context, ids []string, note string) error {
	list := make([]sqlite.Stmt, 0, len(ids))
	for _, id := range ids {
		list = append(list, sqlite.Stmt{Query: "update responses set session_intent = null, session_note = ? where id = ?", Args: []any{note, id}})
	}
	later, err := s.db.Later(ctx, list...)
	if err != nil {
		return err
	}
	return later.Join(ctx)
}

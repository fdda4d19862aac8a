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
	rows, err := s.db.Query(ctx, `select response_id, owner, intent, finish_micros from session_intents
		order by finish_micros limit ?`, max(limit, 1))
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

// maxIntended bounds the rows whose intent may be left out.
const maxIntended = 4096

const (
	addIntentSQL  = "insert into session_intents (response_id, owner, finish_micros, intent) values (?, ?, ?, ?)"
	dropIntentSQL = "delete from session_intents where response_id = ?"
)

// intent stores an answer's intent. The journal has it with the answer; the table gets
// it only where it is not settled before.
func intent(c store.Columns, final store.Final) sqlite.Stmt {
	v := sqlite.NewValues(24 + len(c.ID) + len(c.Owner))
	v.Text(c.ID)
	v.Text(c.Owner)
	v.Int(c.Finish)
	if final.IntentBorrowed {
		v.Borrow(final.Intent)
	} else {
		v.Lend(final.Intent)
	}
	return sqlite.Stmt{Query: addIntentSQL, Values: v}
}

// intend notes that an intent waits to be written.
func (s *Store) intend(id string, later *sqlite.Later) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) < maxIntended {
		s.waiting[id] = later
	}
}

// omit leaves out an intent that is not in its table yet; false where it may be there.
func (s *Store) omit(id string) bool {
	s.mu.Lock()
	later := s.waiting[id]
	delete(s.waiting, id)
	s.mu.Unlock()
	return later != nil && later.Omit(addIntentSQL)
}

// Settle implements store.Store. What the journal has of intents that are left out is
// settled again where it is all that is left after a crash: done twice is done once.
func (s *Store) Settle(ctx context.Context, ids []string, note string) error {
	list := make([]sqlite.Stmt, 0, len(ids))
	for _, id := range ids {
		if note != "" {
			list = append(list, sqlite.Stmt{Query: "update responses set session_note = ? where id = ?", Args: []any{note, id}})
		}
		if !s.omit(id) {
			list = append(list, sqlite.Stmt{Query: dropIntentSQL, Args: []any{id}})
		}
	}
	if len(list) == 0 {
		return nil
	}
	later, err := s.db.Later(ctx, list...)
	if err != nil {
		return err
	}
	return later.Join(ctx)
}

package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// maxRecord is the largest buffer that is kept from one commit to the next.
const maxRecord = 1 << 20

const insertRecord = "insert into outbox (micros, record) values (?, ?)"

// Record adds to the record of the transaction: what is told, in the table
// outbox, of what the transaction does. All records that share a commit become
// one row. It is undone with the function's other changes. Empty adds nothing.
func (tx *Tx) Record(record []byte) {
	if !tx.over {
		tx.w.record = append(tx.w.record, record...)
	}
}

// exec is Run of what may come before what was written later.
func (db *DB) exec(ctx context.Context, stmt Stmt) (changed int64, err error) {
	record := outbox.From(ctx)
	err = db.commit.DoOne(ctx, func(_ context.Context, w *writer) error {
		if w.fatal != nil {
			return w.fatal // outside of a transaction it would be one of its own
		}
		var err error
		if changed, err = w.conn.run(stmt); err != nil {
			return w.failed(err)
		}
		if changed > 0 {
			w.record = append(w.record, record...)
		}
		return nil
	})
	if err != nil {
		changed = 0
	}
	return changed, err
}

// OnRecord makes fn be called after every commit that added to the outbox. fn
// must not block: writers wait for it. Nil ends it.
func (db *DB) OnRecord(fn func()) {
	if fn == nil {
		db.writer.recorded.Store(nil)
		return
	}
	db.writer.recorded.Store(&fn)
}

// writeRecord writes what the transaction tells into the outbox.
func (w *writer) writeRecord() error {
	if len(w.record) == 0 {
		return nil
	}
	_, err := w.execute(insertRecord, []any{time.Now().UnixMicro(), w.record})
	return err
}

func (w *writer) tell() {
	if fn := w.recorded.Load(); fn != nil {
		(*fn)()
	}
}

// Recording is the statement of a Later that adds to the record of the commit in
// which it is run; see Tx.Record.
func Recording(record []byte) Stmt { return Stmt{Values: Values{packed: record}} }

// recording adds the record of a Recording; false for another statement.
func (w *writer) recording(stmt Stmt) bool {
	if stmt.Query != "" {
		return false
	}
	w.record = append(w.record, stmt.Values.packed...)
	return true
}

// Peek is Query without what was written later and is not run yet: it holds
// nobody up.
func (db *DB) Peek(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := db.cached.get(ctx, query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return db.read.QueryContext(ctx, query, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Record adds a row to the table outbox in a transaction: what is told of what
// the transaction does. Empty adds nothing. After the commit, Recorded should be
// called.
func Record(ctx context.Context, tx pgx.Tx, record []byte) error {
	if len(record) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, "insert into outbox (micros, record) values ($1, $2)", time.Now().UnixMicro(), record)
	return err
}

// Exec runs one statement in a transaction of its own and one round trip. Where
// ctx carries a record for the outbox, the statement must change at most one row
// and return none; the record is added where it changed one.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	record := outbox.From(ctx)
	if record == nil {
		return db.pool.Exec(ctx, query, args...)
	}
	n := len(args)
	args = append(args[:n:n], time.Now().UnixMicro(), record)
	tag, err := db.pool.Exec(ctx, "with changed as ("+query+" returning 1) insert into outbox (micros, record) select $"+
		strconv.Itoa(n+1)+"::bigint, $"+strconv.Itoa(n+2)+"::bytea from changed", args...)
	if err == nil && tag.RowsAffected() > 0 {
		db.Recorded()
	}
	return tag, err
}

// OnRecord makes fn be called when this process has added to the outbox. fn must
// not block. Nil ends it.
func (db *DB) OnRecord(fn func()) {
	if fn == nil {
		db.recorded.Store(nil)
		return
	}
	db.recorded.Store(&fn)
}

// Recorded tells whoever waits that the outbox has grown.
func (db *DB) Recorded() {
	if fn := db.recorded.Load(); fn != nil {
		(*fn)()
	}
}

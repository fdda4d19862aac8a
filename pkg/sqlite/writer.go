package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// writer is the one connection that writes: the engine behind the group
// commit. Its statements never carry a caller's context: interrupting one
// would roll back a transaction that others share.
type writer struct {
	mu    sync.Mutex // held from Begin to the end of a transaction, or by lend
	db    *sql.DB
	conn  *sql.Conn                         // opened by Begin, dropped by lend
	stmts map[string]*statement             // of queries
	execs map[string]driver.StmtExecContext // of the others
	fatal error                             // of the open transaction: SQLite may have ended it

	record   []byte                 // of the open transaction, for the outbox
	mark     int                    // its length at the savepoint
	recorded atomic.Pointer[func()] // see DB.OnRecord

	// What execute hands to the connection, and what comes back.
	text   string
	args   []driver.NamedValue
	result driver.Result
	run    func(any) error // runs text on the driver's connection
}

func newWriter(db *sql.DB) *writer {
	w := &writer{db: db, stmts: map[string]*statement{}, execs: map[string]driver.StmtExecContext{}}
	w.run = w.runText
	return w
}

// Begin implements groupcommit.Engine.
func (w *writer) Begin() (*writer, error) {
	w.mu.Lock()
	if err := w.begin(); err != nil {
		// A connection that cannot begin, other than for another process's
		// lock, may be broken: the next attempt gets a new one.
		if !IsBusy(err) {
			err = errors.Join(err, w.drop())
		}
		w.mu.Unlock()
		return nil, fmt.Errorf("sqlite: begin: %w", err)
	}
	return w, nil
}

func (w *writer) begin() error {
	if w.conn == nil {
		conn, err := w.db.Conn(context.Background())
		if err != nil {
			return err
		}
		w.conn = conn
	}
	w.fatal, w.record = nil, w.record[:0]
	return w.exec("BEGIN IMMEDIATE")
}

// Commit implements groupcommit.Engine.
func (w *writer) Commit(*writer) error {
	err := w.fatal
	if err == nil {
		err = w.writeRecord()
	}
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		w.Rollback(w)
		return fmt.Errorf("sqlite: commit: %w", err)
	}
	grown := len(w.record) > 0
	if cap(w.record) > maxRecord {
		w.record = nil
	}
	w.mu.Unlock()
	if grown {
		w.tell()
	}
	return nil
}

// Rollback implements groupcommit.Engine.
func (w *writer) Rollback(*writer) {
	defer w.mu.Unlock()
	if err := w.exec("ROLLBACK"); err != nil && w.fatal == nil {
		// Whatever state the connection is in, it is not used again.
		_ = w.drop()
	}
}

// Savepoint implements groupcommit.Engine.
func (w *writer) Savepoint(*writer) error {
	w.mark = len(w.record)
	return w.step("SAVEPOINT one")
}

// Release implements groupcommit.Engine.
func (w *writer) Release(*writer) error { return w.step("RELEASE one") }

// RollbackTo implements groupcommit.Engine.
func (w *writer) RollbackTo(*writer) error {
	w.record = w.record[:w.mark]
	if err := w.step("ROLLBACK TO one"); err != nil {
		return err
	}
	return w.step("RELEASE one")
}

// step runs a statement of the batch, unless the transaction is lost already:
// a savepoint outside of one would begin another.
func (w *writer) step(query string) error {
	if w.fatal != nil {
		return w.fatal
	}
	return w.exec(query)
}

func (w *writer) exec(query string) error {
	_, err := w.execute(query, nil)
	return err
}

// execute runs a statement that returns no rows. It does not note an error that
// ends the transaction; see failed.
func (w *writer) execute(query string, args []any) (sql.Result, error) {
	w.text, w.args = query, w.args[:0]
	for i, arg := range args {
		value, err := toValue(arg)
		if err != nil {
			return nil, fmt.Errorf("sqlite: argument %d: %w", i+1, err)
		}
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	err := w.conn.Raw(w.run)
	result := w.result
	w.result = nil
	clear(w.args) // they hold rows
	return result, err
}

func (w *writer) runText(conn any) error {
	s, err := w.executed(conn.(driver.Conn), w.text)
	if err != nil {
		return err
	}
	w.result, err = s.ExecContext(context.Background(), w.args)
	return err
}

// toValue makes a driver's value of an argument, as database/sql does.
func toValue(arg any) (driver.Value, error) {
	switch v := arg.(type) {
	case nil, int64, string, []byte, bool, float64:
		return v, nil
	case int32:
		return int64(v), nil
	case int:
		return int64(v), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(arg)
}

// failed remembers an error after which SQLite may have ended the transaction.
func (w *writer) failed(err error) error {
	if err != nil && w.fatal == nil && endsTransaction(err) {
		w.fatal = err
	}
	return err
}

// lend gives fn the writer's pool of one connection while no transaction runs.
func (w *writer) lend(fn func(*sql.DB) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.drop(); err != nil {
		return err
	}
	return fn(w.db)
}

// drop gives the connection back to the pool, closed, and forgets its
// statements.
func (w *writer) drop() error {
	if w.conn == nil {
		return nil
	}
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.stmt.Close())
	}
	clear(w.stmts)
	for _, s := range w.execs {
		errs = append(errs, s.(driver.Stmt).Close())
	}
	clear(w.execs)
	// driver.ErrBadConn makes the pool close it.
	_ = w.conn.Raw(func(any) error { return errDiscard })
	w.conn = nil
	return errors.Join(errs...)
}

// close moves the log into the database and closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.drop()
	var busy, log, moved int
	row := w.db.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	if e := row.Scan(&busy, &log, &moved); e != nil {
		err = errors.Join(err, fmt.Errorf("sqlite: checkpoint: %w", e))
	}
	return errors.Join(err, w.db.Close())
}

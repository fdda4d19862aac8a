package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// writer is the one connection that writes: the engine behind the group
// commit. Its statements are never interrupted by a caller's context: that would
// roll back a transaction that others share.
type writer struct {
	mu    sync.Mutex // held from Begin to the end of a transaction, or by lend
	cfg   Config
	db    *sql.DB // lent
	conn  *conn   // opened by Begin, dropped by lend
	fatal error   // of the open transaction: SQLite may have ended it

	record   []byte                 // of the open transaction, for the outbox
	mark     int                    // its length at the savepoint
	recorded atomic.Pointer[func()] // see DB.OnRecord

	texts []sameRows // memory for those that are run together
}

// openWriter opens the connection; db opens others that may write.
func openWriter(cfg Config, db *sql.DB) (*writer, error) {
	c, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	return &writer{cfg: cfg, db: db, conn: c}, nil
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
		conn, err := connect(w.cfg)
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
	w.conn.moveLog()
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

// execute runs a statement to its end and returns how many rows it changed. It
// does not note an error that ends the transaction; see failed.
func (w *writer) execute(query string, args []any) (changed int64, err error) {
	return w.conn.exec(query, args)
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

// lend gives fn a pool of one connection while no transaction runs.
func (w *writer) lend(fn func(*sql.DB) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.drop(); err != nil {
		return err
	}
	w.db.SetMaxIdleConns(1)
	defer w.db.SetMaxIdleConns(0) // closes it
	return fn(w.db)
}

// drop closes the connection.
func (w *writer) drop() error {
	if w.conn == nil {
		return nil
	}
	err := w.conn.close()
	w.conn = nil
	return err
}

// close moves the log into the database and closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if w.conn == nil {
		w.conn, err = connect(w.cfg)
	}
	if err == nil {
		_, err = w.conn.exec("PRAGMA wal_checkpoint(TRUNCATE)", nil)
	}
	if err != nil {
		err = fmt.Errorf("sqlite: checkpoint: %w", err)
	}
	return errors.Join(err, w.drop(), w.db.Close())
}

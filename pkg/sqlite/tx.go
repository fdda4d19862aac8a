package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// Tx runs the statements of one Write. It belongs to the function given to
// Write, is not safe for concurrent use and ends with the function. Statements
// stay prepared by their text.
//
// The contexts are not used to interrupt a statement: the transaction may be
// shared. They are there so that the code reads like that for PostgreSQL.
type Tx struct {
	w    *writer
	rows []*Rows // open ones
	over bool
}

// Exec runs a statement that returns no rows.
func (tx *Tx) Exec(_ context.Context, query string, args ...any) (sql.Result, error) {
	if tx.over {
		return nil, errTxOver
	}
	changed, err := tx.w.execute(query, args)
	if err != nil {
		return nil, tx.w.failed(err)
	}
	return driver.RowsAffected(changed), nil
}

// Run is Exec of a Stmt.
func (tx *Tx) Run(_ context.Context, stmt Stmt) (changed int64, err error) {
	if tx.over {
		return 0, errTxOver
	}
	changed, err = tx.w.conn.run(stmt)
	return changed, tx.w.failed(err)
}

// Query runs a statement that returns rows. Rows left open are closed when the
// function returns.
func (tx *Tx) Query(_ context.Context, query string, args ...any) (*Rows, error) {
	if tx.over {
		return nil, errTxOver
	}
	s, more, err := tx.w.conn.query(query, args)
	if err != nil {
		return nil, tx.w.failed(err)
	}
	r := &Rows{tx: tx, statement: s, first: true, more: more}
	tx.rows = append(tx.rows, r)
	return r, nil
}

// QueryRow is Query for at most one row; its error comes with Scan.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) *Row {
	rows, err := tx.Query(ctx, query, args...)
	return &Row{rows: rows, err: err}
}

// end closes what the function left open and refuses further use.
func (tx *Tx) end() {
	for len(tx.rows) > 0 {
		_ = tx.rows[len(tx.rows)-1].Close()
	}
	tx.over = true
}

// Rows are the rows of a Query within a transaction, used as sql.Rows is.
type Rows struct {
	tx        *Tx
	statement *prepared // nil once closed
	first     bool      // Next was not called yet
	more      bool      // there is a first row
	err       error
}

// Next moves to the next row; false at the end or on an error, which Err
// tells.
func (r *Rows) Next() bool {
	if r.statement == nil {
		return false
	}
	more, err := r.more, error(nil)
	if r.first {
		r.first = false
	} else {
		more, err = r.tx.w.conn.next(r.statement)
	}
	if !more {
		r.err = r.tx.w.failed(err)
		_ = r.Close()
	}
	return more
}

// Scan copies the row's columns into dest, as sql.Rows.Scan does.
func (r *Rows) Scan(dest ...any) error {
	if r.statement == nil || r.first {
		return errNoRow
	}
	return r.tx.w.conn.columns(r.statement, dest)
}

// Err returns the error that ended Next, if any.
func (r *Rows) Err() error { return r.err }

// Close ends the reading. It may be called more than once.
func (r *Rows) Close() error {
	if r.statement == nil {
		return nil
	}
	r.tx.w.conn.put(r.statement)
	r.statement = nil
	open := r.tx.rows
	for i := len(open) - 1; i >= 0; i-- {
		if open[i] == r {
			open[i] = open[len(open)-1]
			open[len(open)-1] = nil
			r.tx.rows = open[:len(open)-1]
			break
		}
	}
	return nil
}

// Row is the first row of a Query.
type Row struct {
	rows *Rows
	err  error
}

// Scan copies the row's columns into dest and closes the query. It returns
// sql.ErrNoRows when there is no row.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	return r.rows.Close()
}

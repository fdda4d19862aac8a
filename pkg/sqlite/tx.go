package sqlite

import (
	"context"
	"database/sql"
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
	result, err := tx.w.execute(query, args)
	return result, tx.w.failed(err)
}

// Query runs a statement that returns rows. Rows left open are closed when the
// function returns.
func (tx *Tx) Query(_ context.Context, query string, args ...any) (*Rows, error) {
	if tx.over {
		return nil, errTxOver
	}
	s, err := tx.w.statement(query)
	if err != nil {
		return nil, tx.w.failed(err)
	}
	rows, err := s.stmt.QueryContext(context.Background(), args...)
	if err != nil {
		tx.w.put(s)
		return nil, tx.w.failed(err)
	}
	r := &Rows{rows: rows, tx: tx, statement: s}
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
	rows      *sql.Rows
	tx        *Tx
	statement *statement // nil once closed
}

// Next moves to the next row; false at the end or on an error, which Err
// tells.
func (r *Rows) Next() bool {
	if r.statement == nil {
		return false
	}
	if r.rows.Next() {
		return true
	}
	_ = r.Close()
	return false
}

// Scan copies the row's columns into dest, as sql.Rows.Scan does.
func (r *Rows) Scan(dest ...any) error { return r.rows.Scan(dest...) }

// Err returns the error that ended Next, if any.
func (r *Rows) Err() error { return r.tx.w.failed(r.rows.Err()) }

// Close ends the reading. It may be called more than once.
func (r *Rows) Close() error {
	if r.statement == nil {
		return nil
	}
	err := r.rows.Close()
	_ = r.tx.w.failed(r.rows.Err())
	r.tx.w.put(r.statement)
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
	return err
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

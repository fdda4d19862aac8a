package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
)

// errDiscard tells a pool to close the connection.
var errDiscard = driver.ErrBadConn

// maxStatements bounds the statements kept prepared. Texts made at run time
// should not fill it; when they do, others make room.
const maxStatements = 256

// statement is a prepared statement of the writer.
type statement struct {
	query string
	stmt  *sql.Stmt
	inUse bool // rows are being read from it
	kept  bool
}

// statement returns the prepared statement of query. Two uses of one text at
// the same time get two: SQLite's statement is its own cursor.
func (w *writer) statement(query string) (*statement, error) {
	s := w.stmts[query]
	if s != nil && !s.inUse {
		s.inUse = true
		return s, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	fresh := &statement{query: query, stmt: stmt, inUse: true, kept: s == nil}
	if fresh.kept {
		if len(w.stmts) >= maxStatements {
			w.evict()
		}
		w.stmts[query] = fresh
	}
	return fresh, nil
}

// executed returns the prepared statement of a text that returns no rows. It is
// the driver's own: it is not read from, so that one is enough, and the way
// through database/sql would cost as much as a short statement.
func (w *writer) executed(conn driver.Conn, query string) (driver.StmtExecContext, error) {
	if s := w.execs[query]; s != nil {
		return s, nil
	}
	prepared, err := conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	if len(w.execs) >= maxStatements {
		for text, s := range w.execs { // whichever comes first
			_ = s.(driver.Stmt).Close()
			delete(w.execs, text)
			break
		}
	}
	s := prepared.(driver.StmtExecContext)
	w.execs[query] = s
	return s, nil
}

// put gives a statement back.
func (w *writer) put(s *statement) {
	s.inUse = false
	if !s.kept {
		_ = s.stmt.Close()
	}
}

// evict forgets one statement, whichever comes first.
func (w *writer) evict() {
	for query, s := range w.stmts {
		if !s.inUse {
			delete(w.stmts, query)
			_ = s.stmt.Close()
			return
		}
	}
}

// readStatements keeps the readers' statements prepared by their text.
type readStatements struct {
	db     *sql.DB
	mu     sync.RWMutex
	stmts  map[string]*sql.Stmt
	closed bool
}

// get returns the statement of query, nil when there is no room for it.
func (r *readStatements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.RLock()
	stmt, full := r.stmts[query], r.closed || len(r.stmts) >= maxStatements
	r.mu.RUnlock()
	if stmt != nil || full {
		return stmt, nil
	}
	stmt, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.stmts[query]; other != nil {
		_ = stmt.Close()
		return other, nil
	}
	if r.closed {
		_ = stmt.Close()
		return nil, nil
	}
	if r.stmts == nil {
		r.stmts = map[string]*sql.Stmt{}
	}
	r.stmts[query] = stmt
	return stmt, nil
}

func (r *readStatements) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first error
	for _, stmt := range r.stmts {
		if err := stmt.Close(); err != nil && first == nil {
			first = err
		}
	}
	r.stmts, r.closed = nil, true
	return first
}

package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds the statements kept prepared. Texts made at run time
// should not fill it; when they do, others make room.
const maxStatements = 256

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

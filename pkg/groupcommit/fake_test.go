package groupcommit

import (
	"errors"
	"sync"
)

// memory is an Engine over a list of strings.
type memory struct {
	mu        sync.Mutex // guards durable and log
	durable   []string
	log       []string
	commitErr error
	beginErr  error
	undoErr   error
}

type memoryTx struct {
	pending []string
	mark    int
}

func (m *memory) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, s)
}

func (m *memory) Begin() (*memoryTx, error) {
	if m.beginErr != nil {
		return nil, m.beginErr
	}
	m.note("begin")
	return &memoryTx{}, nil
}

func (m *memory) Commit(tx *memoryTx) error {
	if m.commitErr != nil {
		return m.commitErr
	}
	m.note("commit")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable = append(m.durable, tx.pending...)
	return nil
}

func (m *memory) Rollback(*memoryTx) { m.note("rollback") }

func (m *memory) Savepoint(tx *memoryTx) error {
	m.note("savepoint")
	tx.mark = len(tx.pending)
	return nil
}

func (m *memory) Release(*memoryTx) error { m.note("release"); return nil }

func (m *memory) RollbackTo(tx *memoryTx) error {
	if m.undoErr != nil {
		return m.undoErr
	}
	m.note("rollback to")
	tx.pending = tx.pending[:tx.mark]
	return nil
}

func (m *memory) rows() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := map[string]bool{}
	for _, r := range m.durable {
		rows[r] = true
	}
	return rows
}

func (m *memory) events() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.log...)
}

var errOwn = errors.New("the call's own error")

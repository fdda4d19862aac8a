package postgres

import "github.com/gptmesh/gptmesh/pkg/postgres"

// Trusting returns a store that takes every id that it does not know for a new one.
func Trusting(db *postgres.DB) *Store {
	s := New(db)
	s.fresh = func(string) bool { return true }
	return s
}

// Remember bounds the sessions that are remembered.
func (s *Store) Remember(most int) { s.memory.most = most }

// Remembered returns how many sessions are.
func (s *Store) Remembered() int {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return len(s.memory.byID)
}

package sqlite

// Shrink bounds what s remembers.
func (s *Sole) Shrink(entries, bytes, tail, ids int) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.bounds = bounds{entries: entries, bytes: bytes, tail: tail, ids: ids}
}

// Remembered is how many sessions s knows of and the size of their messages, and how
// many are being read.
func (s *Sole) Remembered() (entries, bytes, loading int) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return len(s.memory.byID), s.memory.bytes, len(s.memory.loading)
}

// Forget forgets what the tables have.
func (s *Sole) Forget() {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	for id, e := range s.memory.byID {
		if e.stored() {
			s.memory.drop(id)
		}
	}
}

// Hold keeps all others from what is remembered until it is released.
func (s *Sole) Hold() (release func()) {
	s.memory.mu.Lock()
	return s.memory.mu.Unlock
}

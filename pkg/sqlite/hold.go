package sqlite

import (
	"context"
	"slices"
	"time"
)

// Bounds of what is held.
const (
	// holdFor is how long it is, holdAt the size from which it is run.
	holdFor, holdAt = 8 * time.Second, 8 << 20
	// joinAt is how many statements of one kind are joined at once.
	joinAt = 16
)

// holding has statements with a Key that stay in the journal and in memory longer than
// rows do, joined: what replaces them may come before anybody asks. It is changed by
// whoever has the turn of its pending list. Methods of a nil one say that there is
// none.
type holding struct {
	gathering
	since time.Time // of the first
	to    uint64    // the number of the last
}

// replaceable says whether the statements may be held.
func (s stmts) replaceable() bool {
	for _, stmt := range s {
		if stmt.Key == "" {
			return false
		}
	}
	return len(s) > 0
}

func (h *holding) none() bool { return h == nil || len(h.list) == 0 }

// gathered returns what is held, to be gone on with. It stays held.
func (h *holding) gathered() *gathering {
	g := &gathering{}
	if h.none() {
		return g
	}
	g.index = make(map[likeness]*gathered, len(h.list))
	for _, one := range h.list {
		again := &gathered{stmt: one.stmt, args: one.args[:len(one.args):len(one.args)]}
		if one.stmt.Join == nil { // its place is written to
			again.args = slices.Clone(one.args)
		}
		g.list, g.index[likeness{one.stmt.Query, one.stmt.Key}] = append(g.list, again), again
	}
	return g
}

// last is the number of the last record of which any is held.
func (h *holding) last() uint64 {
	if h == nil {
		return 0
	}
	return h.to
}

// forget drops what was run.
func (h *holding) forget() {
	if h != nil {
		*h = holding{}
	}
}

// fold takes over what is durable, in order. Nobody may withdraw that any more.
func (h *holding) fold(p *pending) {
	p.mu.Lock()
	list := append([]*Later(nil), p.list...)
	p.mu.Unlock()
	n := 0
	for _, l := range list {
		if l.flight.Wait(context.Background()) != nil {
			break
		}
		n++
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.list[:n] {
		if l.state != laterQueued {
			continue
		}
		for _, stmt := range l.stmts {
			h.add(stmt)
		}
		h.to = l.sequence
		l.over(p)
	}
	p.list = append(p.list[:0:0], p.list[n:]...)
}

// size joins what has become much and returns how much memory all of it takes, about.
func (h *holding) size() int {
	size := 0
	for _, one := range h.list {
		if len(one.args) >= joinAt {
			one.args = one.stmt.Join(one.args)
		}
		for _, args := range one.args {
			size += stmts{{Args: args}}.size()
		}
	}
	return size
}

// holds says whether what waits in p is to wait longer, and joins it.
func (db *DB) holds(p *pending) bool {
	h := p.hold
	if h == nil {
		return false
	}
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	p.mu.Lock()
	spelled := false
	for _, l := range p.list {
		spelled = spelled || l.spelled
	}
	p.mu.Unlock()
	if spelled && db.cfg.Synchronous == Full {
		return false // a commit gives the texts their numbers
	}
	if h.since.IsZero() {
		h.since = time.Now()
	}
	h.fold(p)
	return len(h.list) > 0 && h.size() < holdAt && time.Since(h.since) < p.holdFor
}

// applyHeld runs what is held up to a number, behind all rows. The caller has the turn
// of what is held.
func (db *DB) applyHeld(sequence uint64) error {
	db.pending.turn <- struct{}{}
	defer func() { <-db.pending.turn }()
	for to := db.pending.newest.Load(); db.pending.applied.Load() < to; {
		if err := db.apply(&db.pending, to); err != nil {
			return err
		}
	}
	return db.apply(&db.held, sequence)
}

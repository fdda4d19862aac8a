package sqlite

import "sync"

const (
	// pageSize is how many bytes of rows are given back at once, pageStmts how many
	// statements.
	pageSize, pageStmts = 64 << 10, 160
	// maxPiece is the most of one Later that lies in a page.
	maxPiece, maxPieceStmts = pageSize / 4, pageStmts / 4
	// maxFree is how many pages a pending list keeps for itself.
	maxFree = 4
)

// page is memory for the statements that wait to be run, and for their values: of
// those that were written one after the other, since they are run so too. It is used
// again when the last one of them is over.
type page struct {
	bytes []byte
	stmts []Stmt
	rows  int // that lie in it
}

// spares are pages that nobody uses. All stores of a process share them: a page is
// full within a moment where much is written.
var spares = sync.Pool{New: func() any {
	return &page{bytes: make([]byte, 0, pageSize), stmts: make([]Stmt, 0, pageStmts)}
}}

// pages are those of a pending list, whose mu guards them.
type pages struct {
	current *page   // nil for none
	free    []*page // the last one was used last, and lies in the processor's caches
}

// slab is how many Laters are made at once.
const slab = 16

// make returns a Later that nobody has. p.mu is held.
func (p *pending) make(db *DB) *Later {
	if len(p.spare) == 0 {
		p.spare = make([]Later, slab)
	}
	l := &p.spare[0]
	p.spare = p.spare[1:]
	l.db, l.p = db, p
	return l
}

// keep makes what assemble does of the same, and moves it and its values to where they
// may stay, so that whoever gave them may use their memory again. It returns the page,
// nil where it needs none.
func (p *pages) keep(earlier stmts, list []Stmt, record []byte) (stmts, *page) {
	count := len(earlier) + len(list) + 1
	if count > maxPieceStmts {
		kept := assemble(nil, earlier, list, record)
		room := make([]byte, 0, kept.copied())
		for i := range kept {
			room = kept[i].Values.move(room)
		}
		return kept, nil
	}
	size := len(record) + stmts(list).copied()
	for _, stmt := range earlier {
		if stmt.Query == "" {
			size += stmt.Values.copied()
		}
	}
	apart := size > maxPiece
	at := p.current
	if at == nil || cap(at.stmts)-len(at.stmts) < count || !apart && cap(at.bytes)-len(at.bytes) < size {
		if at == nil || at.rows > 0 {
			at = p.unused()
			p.current = at
		}
	}
	at.rows++
	begin := len(at.stmts)
	at.stmts = assemble(at.stmts, earlier, list, record)
	kept := at.stmts[begin:len(at.stmts):len(at.stmts)]
	room := &at.bytes
	if apart {
		own := make([]byte, 0, size)
		room = &own
	}
	for i := range kept {
		*room = kept[i].Values.move(*room)
	}
	return kept, at
}

// assemble appends what a write is made of: the Recordings of earlier statements that
// are never run, a list, and the record of a context.
func assemble(dst, earlier stmts, list []Stmt, record []byte) stmts {
	for _, stmt := range earlier {
		if stmt.Query == "" {
			dst = append(dst, stmt)
		}
	}
	dst = append(dst, list...)
	if record != nil {
		dst = append(dst, Recording(record))
	}
	return dst
}

// unused returns an empty page.
func (p *pages) unused() *page {
	if n := len(p.free); n > 0 {
		at := p.free[n-1]
		p.free = p.free[:n-1]
		return at
	}
	return spares.Get().(*page)
}

// release gives back what keep returned.
func (p *pages) release(at *page) {
	if at == nil {
		return
	}
	if at.rows--; at.rows > 0 {
		return
	}
	poison(at.bytes)
	clear(at.stmts)
	at.bytes, at.stmts = at.bytes[:0], at.stmts[:0]
	switch {
	case at == p.current:
	case len(p.free) < maxFree:
		p.free = append(p.free, at)
	default:
		spares.Put(at)
	}
}

// copied is how many bytes moving all values needs.
func (s stmts) copied() int {
	size := 0
	for i := range s {
		size += s[i].Values.copied()
	}
	return size
}

// copied is how many bytes move needs.
func (v Values) copied() int {
	if v.borrows() {
		return v.size()
	}
	return len(v.packed)
}

func (v Values) borrows() bool { return v.room != nil && v.room.borrowed }

// move makes the values lie in room, behind what it has, and returns it. What was
// lent for good stays where it is.
func (v *Values) move(room []byte) []byte {
	start := len(room)
	if lent := v.lent(); lent == nil || v.room.borrowed {
		room = v.appendTo(room)
		v.room = nil
	} else {
		room = append(room, v.packed...)
		v.room = lasting(v.room)
	}
	if v.packed = nil; len(room) > start {
		v.packed = room[start:len(room):len(room)]
	}
	return room
}

// lasting is r without the memory that its values lay in.
func lasting(r *room) *room { return &room{lent: r.lent, from: r.from} }

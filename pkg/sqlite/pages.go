package sqlite

import "sync"

const (
	// pageSize is how many bytes of rows are given back at once.
	pageSize = 64 << 10
	// maxPiece is the most of one Later that lies in a page.
	maxPiece = pageSize / 4
)

// page is memory for the values of rows that wait to be run: of those that were
// written one after the other, since they are run so too. It is used again when
// the last one of them is over.
type page struct {
	bytes []byte
	rows  int // that lie in it
}

// spares are pages that nobody uses. All stores of a process share them: a page is
// full within a moment where much is written.
var spares = sync.Pool{New: func() any { return &page{bytes: make([]byte, 0, pageSize)} }}

// pages are those of a pending list, whose mu guards them.
type pages struct {
	current *page // nil for none
}

// keep moves the values of statements to where they may stay, so that whoever gave
// them may use their memory again. It returns the page, nil where it needs none.
func (p *pages) keep(list stmts) *page {
	size := 0
	for i := range list {
		size += list[i].Values.copied()
	}
	if size == 0 {
		return nil
	}
	if size > maxPiece {
		room := make([]byte, 0, size)
		for i := range list {
			room = list[i].Values.move(room)
		}
		return nil
	}
	if at := p.current; at == nil || cap(at.bytes)-len(at.bytes) < size {
		if at != nil && at.rows == 0 {
			at.bytes = at.bytes[:0]
		} else {
			p.current = spares.Get().(*page)
		}
	}
	at := p.current
	at.rows++
	for i := range list {
		at.bytes = list[i].Values.move(at.bytes)
	}
	return at
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
	at.bytes = at.bytes[:0]
	if at != p.current {
		spares.Put(at)
	}
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

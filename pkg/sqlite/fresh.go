package sqlite

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
)

// Bounds of Fresh.
const (
	// freshFor is how old an id may be, by its own word, to be known for new.
	freshFor = 10 * time.Second
	// freshAhead is how far ahead of the clock it may be.
	freshAhead = time.Second
	// maxAhead bounds the ids from the future that are remembered.
	maxAhead = 1024
	// spanBits says how long the time is whose ids lie together, in milliseconds,
	// and spans how many such times are remembered: more than freshFor and
	// freshAhead.
	spanBits, spans = 7, 128
)

// Fresh knows of ids that no row can have them yet, without asking the table:
// ids made by package ids within the last seconds, none of which was taken
// before. It holds for a table to which only this process writes. It is safe for
// concurrent use.
type Fresh struct {
	db            *DB
	table, prefix string
	seed          maphash.Seed
	begin         time.Time
	now           func() time.Time

	mu     sync.Mutex
	looked bool              // what is in the table of the future is known
	taken  [spans]span       // by the time they were made, round and round
	ahead  map[mark]struct{} // taken though their time was still to come
	blind  bool              // too many of those: nothing is known any more
}

// span are the ids that were taken of those made in a short time. The newest of
// them are in the processor's cache, since nearly all ids are taken right after
// they were made.
type span struct {
	number int64 // of spans since 1970
	taken  marks
}

// marks are a set. The zero value is empty.
type marks struct {
	places []mark // each is the first that was free from where it belongs; a power of two of them, or none
	n      int
}

// minMarks is how many places there are at first.
const minMarks = 64

// add says whether m is new.
func (s *marks) add(m mark) bool {
	if s.n >= len(s.places)/2 {
		old := s.places
		s.places, s.n = make([]mark, max(minMarks, 2*len(old))), 0
		for _, m := range old {
			if m != 0 {
				s.add(m)
			}
		}
	}
	for i := int(m); ; i++ {
		switch place := &s.places[i&(len(s.places)-1)]; *place {
		case m:
			return false
		case 0:
			*place = m
			s.n++
			return true
		}
	}
}

// clear makes the set empty, with room for as many.
func (s *marks) clear() {
	clear(s.places)
	s.n = 0
}

// mark stands for an id, and is not 0: without a pointer, so that the collector need not look
// at those of half a minute. Ids that share one by chance are asked of the table.
type mark uint64

func (f *Fresh) mark(id string) mark { return mark(maphash.String(f.seed, id) | 1<<63) }

// NewFresh knows the ids of a table, whose column is id, that begin with prefix.
func NewFresh(db *DB, table, prefix string) *Fresh {
	return &Fresh{
		db: db, table: table, prefix: prefix, seed: maphash.MakeSeed(), begin: time.Now(), now: time.Now,
		ahead: map[mark]struct{}{},
	}
}

// look finds the ids of the table whose time is still to come. f.mu is held.
func (f *Fresh) look() bool {
	rows, err := f.db.Query(context.Background(), "select id from "+f.table+" where id > ? and id < ? limit ?",
		ids.At(f.prefix, f.begin.Add(-time.Millisecond)), f.prefix+"_~", maxAhead+1)
	if err != nil {
		return false
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if rows.Scan(&id) != nil {
			return false
		}
		f.remember(id)
	}
	return rows.Err() == nil
}

// Claim returns true where id is new beyond doubt; it is taken from then on.
// False means that only the table can tell.
func (f *Fresh) Claim(id string) bool {
	made, ok := ids.Time(f.prefix, id)
	if !ok {
		return false
	}
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.looked {
		if f.looked = f.look(); !f.looked {
			return false
		}
	}
	if made.After(now.Add(freshAhead)) {
		f.remember(id)
		return false
	}
	// An id of the millisecond in which this began may be from before.
	if f.blind || now.Sub(made) > freshFor || !made.After(f.begin) {
		return false
	}
	m := f.mark(id)
	if _, ok := f.ahead[m]; ok {
		return false
	}
	number := made.UnixMilli() >> spanBits
	s := &f.taken[number%spans]
	switch {
	case s.number > number: // the clock was set back, and what was taken then is forgotten
		return false
	case s.number < number:
		s.number = number
		s.taken.clear()
	}
	return s.taken.add(m)
}

func (f *Fresh) remember(id string) {
	if len(f.ahead) >= maxAhead {
		f.blind = true
		return
	}
	f.ahead[f.mark(id)] = struct{}{}
}

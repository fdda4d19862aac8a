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

	mu           sync.Mutex
	looked       bool // what is in the table of the future is known
	turned       time.Time
	young, older map[mark]struct{} // taken in the last 15 to 30 seconds
	ahead        map[mark]struct{} // taken though their time was still to come
	blind        bool              // too many of those: nothing is known any more
}

// mark stands for an id: without a pointer, so that the collector need not look
// at those of half a minute. Ids that share one by chance are asked of the table.
type mark uint64

func (f *Fresh) mark(id string) mark { return mark(maphash.String(f.seed, id)) }

// NewFresh knows the ids of a table, whose column is id, that begin with prefix.
func NewFresh(db *DB, table, prefix string) *Fresh {
	return &Fresh{
		db: db, table: table, prefix: prefix, seed: maphash.MakeSeed(), begin: time.Now(), now: time.Now,
		young: map[mark]struct{}{}, ahead: map[mark]struct{}{},
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
	if now.Sub(f.turned) > freshFor+5*time.Second {
		f.young, f.older, f.turned = f.older, f.young, now
		if f.young == nil {
			f.young = map[mark]struct{}{}
		}
		clear(f.young)
	}
	m := f.mark(id)
	if has(f.young, m) || has(f.older, m) || has(f.ahead, m) {
		return false
	}
	f.young[m] = struct{}{}
	return true
}

func (f *Fresh) remember(id string) {
	if len(f.ahead) >= maxAhead {
		f.blind = true
		return
	}
	f.ahead[f.mark(id)] = struct{}{}
}

func has(set map[mark]struct{}, m mark) bool {
	_, ok := set[m]
	return ok
}

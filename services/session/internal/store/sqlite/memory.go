package sqlite

import (
	"slices"
	"sync"

	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// bounds of what is remembered.
type bounds struct {
	entries int // sessions that are, or are known not to be there
	bytes   int // of all messages
	tail    int // bytes of those of one session
	ids     int // of messages of a session
}

var usual = bounds{entries: 4096, bytes: 8 << 20, tail: 256 << 10, ids: 512}

// messageSize is what a message takes beside its body and id, about.
const messageSize = 160

// memory is what a process knows of sessions that it alone writes: all that is not in
// the tables yet, and some of what is. It is safe for concurrent use. Entries are
// changed under mu.
type memory struct {
	bounds bounds

	mu      sync.Mutex
	byID    map[string]*entry
	byKey   map[int64]*entry
	loading map[string]*loading
	bytes   int
	oldest  entry // before and behind all entries: the one used last comes last
	// failures are writes that have failed since something was loaded: what is loaded next
	// waits until the tables have those that have not.
	failures int
}

// loading is a session that is being read.
type loading struct {
	readers int
	stale   bool // it was written since
}

// entry is a session as of its newest write.
type entry struct {
	id      string
	session *store.Session // never changed; nil where there is none of this id
	last    *write         // its newest write, nil for none that is known
	touched *sqlite.Later  // its newest use that may not be in its table

	// bare is its insertion without messages, while that may be replaced.
	bare *write

	tail   []*store.Message // the newest messages, without a gap; all that may not be in the tables
	size   int              // of these
	trims  int              // how often tail became shorter
	mark   *sqlite.Later    // once the tables have it, they have the first marked of tail; nil for none
	marked int
	ids    map[string]struct{} // of all its messages; nil where only the tail and the table know

	before, behind *entry
}

func newMemory() *memory {
	m := &memory{bounds: usual, byID: map[string]*entry{}, byKey: map[int64]*entry{}, loading: map[string]*loading{}}
	m.oldest.before, m.oldest.behind = &m.oldest, &m.oldest
	return m
}

// get returns what is known of an id and says whether anything is. mu is held.
func (m *memory) get(id string) *entry {
	e := m.byID[id]
	if e != nil {
		m.unlink(e)
		m.link(e)
	}
	return e
}

// put takes in an entry in the place of any other of its id. mu is held.
func (m *memory) put(e *entry) {
	m.drop(e.id)
	m.byID[e.id] = e
	if e.session != nil {
		m.byKey[e.session.Key] = e
	}
	m.bytes += e.size
	m.link(e)
	m.evict()
}

// drop forgets what is known of an id. mu is held.
func (m *memory) drop(id string) {
	e := m.byID[id]
	if e == nil {
		return
	}
	delete(m.byID, id)
	if e.session != nil {
		delete(m.byKey, e.session.Key)
	}
	m.bytes -= e.size
	m.unlink(e)
}

func (m *memory) link(e *entry) {
	last := m.oldest.before
	e.before, e.behind = last, &m.oldest
	last.behind, m.oldest.before = e, e
}

func (m *memory) unlink(e *entry) {
	e.before.behind, e.behind.before = e.behind, e.before
	e.before, e.behind = nil, nil
}

// evict forgets what was not used for the longest time, as far as the tables have it.
// mu is held.
func (m *memory) evict() {
	for len(m.byID) > m.bounds.entries || m.bytes > m.bounds.bytes {
		e := m.oldest.behind
		if e == &m.oldest || !e.stored() {
			return
		}
		m.drop(e.id)
	}
}

// stored says whether the tables have all that is known.
func (e *entry) stored() bool {
	return (e.last == nil || e.last.later.Stored()) && (e.touched == nil || e.touched.Stored())
}

// written marks sessions that are being read: what is read may be of before. mu is
// held.
func (m *memory) written(id string) {
	if l := m.loading[id]; l != nil {
		l.stale = true
	}
}

// allWritten is written of all sessions. mu is not held.
func (m *memory) allWritten() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.loading {
		l.stale = true
	}
}

// touch notes uses that are on their way into the tables, and says whether all those
// sessions are known. mu is not held.
func (m *memory) touch(uses []store.Use, later *sqlite.Later) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := true
	for _, use := range uses {
		e := m.byKey[use.Key]
		if e == nil {
			all = false
			continue
		}
		m.written(e.id)
		e.touched = later
		if e.session.State == store.Active && e.session.LastActiveTime.Before(use.At) {
			used := *e.session
			used.LastActiveTime = use.At
			e.session = &used
		}
	}
	return all
}

// forget forgets a session whose write has failed: only its tables know what is
// left of it.
func (m *memory) forget(w *write) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures++
	m.written(w.id)
	if e := m.byID[w.id]; e != nil && e.last == w { // else it was read again since, and may have been written
		m.drop(w.id)
	}
}

// append adds messages that were written to the tail. mu is held.
func (m *memory) append(e *entry, messages []*store.Message) {
	for _, message := range messages {
		e.tail = append(e.tail, message)
		e.size += size(message)
		m.bytes += size(message)
		if e.ids != nil {
			e.ids[message.ID] = struct{}{}
		}
	}
	if len(e.ids) > m.bounds.ids {
		e.ids = nil
	}
}

func size(m *store.Message) int { return messageSize + len(m.ID) + len(m.Body) }

// trim shortens a tail that is long by what the tables have. One that is always written
// to is marked first: its newest messages are never in the tables. mu is held.
func (m *memory) trim(e *entry) {
	if e.mark == nil && e.size > m.bounds.tail {
		e.mark, e.marked = e.last.later, len(e.tail)
	}
	if e.mark == nil || !e.mark.Stored() {
		return
	}
	for _, message := range e.tail[:e.marked] {
		e.size -= size(message)
		m.bytes -= size(message)
	}
	e.tail = slices.Clone(e.tail[e.marked:])
	e.mark, e.marked, e.trims = nil, 0, e.trims+1
}

// base is the position of the last message that the tail does not have.
func (e *entry) base() int64 {
	if len(e.tail) > 0 {
		return e.tail[0].Position - 1
	}
	return e.session.MessageCount
}

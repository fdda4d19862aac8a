package postgres

import (
	"context"
	"slices"
	"sync"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/protobuf/proto"
)

// Bounds of what is remembered.
const (
	maxEntries = 4096    // sessions
	maxDetails = 4 << 10 // bytes of preferences and metadata of one
	maxIDs     = 64      // of messages of one
)

// memory is what this process has last seen of sessions. Others write to them too: it
// is a guess, which the statement that is built on it checks. It is safe for
// concurrent use.
type memory struct {
	most int // entries

	mu   sync.Mutex
	byID map[string]*entry
}

// entry is one session. All but id and turn are changed under the memory's mu.
type entry struct {
	id      string
	turn    chan struct{}  // held by who builds a write on it
	session *store.Session // never changed
	// known says that this process made the session's last change: who now comes with
	// messages that are there would be late. ids are of those that it has added of late.
	known bool
	ids   []string
}

func newMemory() *memory { return &memory{most: maxEntries, byID: map[string]*entry{}} }

// get returns what is known of an id, nil for nothing.
func (m *memory) get(id string) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byID[id]
}

// current returns the session of an entry, nil where the entry was forgotten.
func (m *memory) current(e *entry) *store.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID[e.id] != e {
		return nil
	}
	return e.session
}

// tells says of messages, by their ids, whether it is known that some are there, or
// likely enough that none is.
func (m *memory) tells(e *entry, ids []string) (none, some bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if slices.Contains(e.ids, id) {
			return false, true
		}
	}
	return e.known, false
}

// saw takes in a session as it was read. The session is kept.
func (m *memory) saw(session *store.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byID[session.ID]
	switch {
	case e == nil || e.session.Key != session.Key || large(session):
		m.put(&entry{session: session})
	case e.session.Version < session.Version: // others were there
		e.session, e.known, e.ids = session, false, nil
	case e.session.Version == session.Version:
		e.session = session // it may have been used
	}
}

// wrote takes in a session as this process writes it on top of e, nil for a new one,
// with its new messages. The session is kept.
func (m *memory) wrote(e *entry, session *store.Session, messages []*store.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e == nil || m.byID[session.ID] != e || large(session) {
		e = &entry{session: session}
		m.put(e)
	} else if e.session.Version > session.Version {
		return // and others since
	}
	e.session, e.known = session, true
	for _, message := range messages {
		e.ids = append(e.ids, message.ID)
	}
	if extra := len(e.ids) - maxIDs; extra > 0 {
		e.ids = append([]string(nil), e.ids[extra:]...)
	}
}

// put takes in an entry in the place of any other of its id, and some other goes where
// there are too many. mu is held.
func (m *memory) put(e *entry) {
	e.id, e.turn = e.session.ID, make(chan struct{}, 1)
	delete(m.byID, e.id)
	if large(e.session) {
		return
	}
	for id := range m.byID {
		if len(m.byID) < m.most {
			break
		}
		delete(m.byID, id)
	}
	m.byID[e.id] = e
}

func (m *memory) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byID, id)
}

// large says that a session takes too much memory to be remembered.
func large(s *store.Session) bool {
	size := 0
	if s.Preferences != nil {
		size = proto.Size(s.Preferences)
	}
	for key, value := range s.Metadata {
		size += len(key) + len(value)
	}
	return size > maxDetails
}

// take waits for the entry's turn.
func (e *entry) take(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *entry) leave() { <-e.turn }

package sqlite

import (
	"context"
	"slices"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// draft implements store.Tx in memory: it gathers what a transaction does. What it
// does not know it names by an error, and the transaction is run again. It belongs to
// whoever has the turn.
type draft struct {
	s     *Sole
	found *facts
	ops   []op
	read  *write // of a session that was read, while it may not be durable
	seen  *entry // the last session that was read
}

// op is what a transaction does to one session.
type op struct {
	entry    *entry         // as it was; its session is nil where there was none
	session  *store.Session // as it will be; nil where it is deleted
	inserted bool
	add      store.Addition
	stone    store.Tombstone
}

func (d *draft) op(which func(*op) bool) *op {
	for i := range d.ops {
		if which(&d.ops[i]) {
			return &d.ops[i]
		}
	}
	return nil
}

func (d *draft) ofID(id string) *op { return d.op(func(o *op) bool { return o.entry.id == id }) }

func (d *draft) ofKey(key int64) *op {
	return d.op(func(o *op) bool { return o.session != nil && o.session.Key == key })
}

// Session implements store.Tx.
func (d *draft) Session(_ context.Context, owner, id string) (*store.Session, error) {
	session, err := d.session(id)
	if err != nil {
		return nil, err
	}
	if session == nil || session.Owner != owner {
		return nil, store.ErrNotFound
	}
	return session.Clone(), nil
}

// SessionByKey implements store.Tx.
func (d *draft) SessionByKey(_ context.Context, key int64) (*store.Session, error) {
	if o := d.ofKey(key); o != nil {
		return o.session.Clone(), nil
	}
	d.s.memory.mu.Lock()
	e := d.s.memory.byKey[key]
	d.s.memory.mu.Unlock()
	id, ok := d.found.ids[key]
	if e != nil {
		id, ok = e.id, true
	}
	if !ok {
		return nil, &lacking{key: key}
	}
	if id == "" {
		return nil, store.ErrNotFound
	}
	session, err := d.session(id)
	if err != nil {
		return nil, err
	}
	if session == nil || session.Key != key {
		return nil, store.ErrNotFound
	}
	return session.Clone(), nil
}

// session returns the session of an id as it is, nil for none.
func (d *draft) session(id string) (*store.Session, error) {
	if o := d.ofID(id); o != nil {
		return o.session, nil
	}
	m := d.s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.get(id)
	if e == nil {
		return nil, &lacking{id: id}
	}
	if e.last != nil && !e.last.settled() {
		if e.bare != e.last { // nothing is built on what may be taken back
			return nil, &lacking{last: e.last}
		}
		d.read = e.last
	}
	d.seen = e
	return e.session, nil
}

// MessagesByID implements store.Tx.
func (d *draft) MessagesByID(_ context.Context, key int64, ids []string) (map[string]*store.Message, error) {
	m := d.s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byKey[key]
	found := map[string]*store.Message{}
	if o := d.ofKey(key); o != nil {
		e = o.entry
		for _, message := range o.add.Messages {
			if slices.Contains(ids, message.ID) {
				found[message.ID] = message
			}
		}
	}
	if e == nil && d.seen != nil && d.seen.session != nil && d.seen.session.Key == key {
		return nil, &lacking{id: d.seen.id} // forgotten since
	}
	if e == nil || e.session == nil || e.session.Key != key {
		return found, nil
	}
	if e.inTail(ids, found); e.base() == 0 {
		return found, nil
	}
	var lack []string
	for _, id := range ids {
		if found[id] != nil {
			continue
		}
		if _, there := e.ids[id]; e.ids != nil && !there {
			continue
		}
		message, ok := d.found.tells(e, id)
		if !ok {
			lack = append(lack, id)
		} else if message != nil {
			found[id] = message
		}
	}
	if lack != nil {
		return nil, &lacking{messages: e, ids: lack}
	}
	return found, nil
}

// MessageAt implements store.Tx.
func (d *draft) MessageAt(_ context.Context, key, position int64) (*store.Message, error) {
	m := d.s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.byKey[key]
	switch {
	case len(d.ops) > 0 || e == nil:
		return nil, errTables
	case position < 1 || position > e.session.MessageCount:
		return nil, store.ErrNotFound
	case position <= e.base():
		return nil, errTables
	}
	return e.tail[position-e.base()-1], nil
}

// CopyMessages implements store.Tx.
func (d *draft) CopyMessages(context.Context, int64, int64, *store.Session) error { return errTables }

// Insert implements store.Tx.
func (d *draft) Insert(_ context.Context, session *store.Session, add store.Addition) error {
	if !d.s.counted {
		return &lacking{counter: true}
	}
	o := d.ofID(session.ID)
	if o == nil {
		e, err := d.absent(session.ID)
		if err != nil {
			return err
		}
		d.ops = append(d.ops, op{entry: e})
		o = &d.ops[len(d.ops)-1]
	} else if o.session != nil {
		return store.ErrExists
	} else {
		return errTables // deleted within the same transaction
	}
	d.s.key++
	session.Key = d.s.key
	o.inserted = true
	o.set(session, add)
	return nil
}

// absent returns the entry of an id that no session has.
func (d *draft) absent(id string) (*entry, error) {
	m := d.s.memory
	m.mu.Lock()
	e := m.get(id)
	m.mu.Unlock()
	switch {
	case e != nil && e.session != nil:
		return nil, store.ErrExists
	case e != nil && e.last != nil && !e.last.settled():
		return nil, &lacking{last: e.last}
	case e != nil:
		d.s.fresh.Claim(id) // so that it is not new once this is forgotten
		return e, nil
	case d.s.fresh.Claim(id):
		return &entry{id: id}, nil
	}
	return nil, &lacking{id: id}
}

// Save implements store.Tx.
func (d *draft) Save(_ context.Context, session *store.Session, add store.Addition) error {
	o, err := d.held(session)
	if err != nil {
		return err
	}
	o.set(session, add)
	return nil
}

// Delete implements store.Tx.
func (d *draft) Delete(_ context.Context, session *store.Session, stone store.Tombstone) error {
	o, err := d.held(session)
	if err != nil {
		return err
	}
	if o.inserted {
		return errTables
	}
	o.session, o.add, o.stone = nil, store.Addition{}, stone
	return nil
}

// held returns what is done to a session that was read.
func (d *draft) held(session *store.Session) (*op, error) {
	if o := d.ofKey(session.Key); o != nil {
		return o, nil
	}
	m := d.s.memory
	m.mu.Lock()
	e := m.byKey[session.Key]
	m.mu.Unlock()
	if e == nil {
		return nil, &lacking{id: session.ID} // forgotten since
	}
	d.ops = append(d.ops, op{entry: e})
	return &d.ops[len(d.ops)-1], nil
}

func (o *op) set(session *store.Session, add store.Addition) {
	kept := *session
	o.session = &kept
	o.add.Messages = append(o.add.Messages, add.Messages...)
	o.add.Changes = append(o.add.Changes, add.Changes...)
}

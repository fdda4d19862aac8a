package sqlite

import (
	"context"

	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// write writes what was gathered, and remembers it. Where nothing was, it returns what
// the transaction has read and is not durable yet.
func (d *draft) write(ctx context.Context) (*write, error) {
	switch len(d.ops) {
	case 0:
		return d.read, nil
	case 1:
	default:
		return nil, errTables
	}
	o := &d.ops[0]
	id := o.entry.id
	w := &write{memory: d.s.memory, id: id}
	var err error
	bare := o.entry.bare
	if bare != nil && o.session != nil && !bare.later.Stored() {
		whole := op{session: o.session, inserted: true}
		whole.add.Messages = o.add.Messages
		whole.add.Changes = append([]store.Change{{Version: 1, Kind: store.Created}}, o.add.Changes...)
		var ok bool
		if w.later, ok, err = d.s.later(whole, func(list ...sqlite.Stmt) (*sqlite.Later, bool, error) {
			return d.s.db.Instead(ctx, bare.later, list...)
		}); err != nil {
			return nil, err
		}
		if ok {
			bare.replaced(w)
		} else {
			w.later = nil
		}
	}
	if w.later == nil && bare != nil && !bare.settled() { // it may have been refused by now
		return nil, &lacking{last: bare}
	}
	if w.later == nil {
		if w.later, _, err = d.s.later(*o, func(list ...sqlite.Stmt) (*sqlite.Later, bool, error) {
			later, err := d.s.db.Later(ctx, list...)
			return later, true, err
		}); err != nil {
			return nil, err
		}
	}
	d.s.memory.take(o, w)
	return w, nil
}

// take remembers what a transaction did to a session.
func (m *memory) take(o *op, w *write) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written(w.id)
	e := o.entry
	if o.inserted || o.session == nil || m.byID[w.id] != e { // which was forgotten since: the tables had it
		e = &entry{id: w.id, session: o.session, last: w}
		if o.inserted && len(o.add.Messages) == 0 && len(o.add.Changes) == 1 {
			e.bare = w
		}
		m.put(e)
		m.append(e, o.add.Messages)
		return
	}
	m.trim(e)
	e.session, e.last, e.bare = o.session, w, nil
	m.append(e, o.add.Messages)
	m.evict()
}

// mostKept is the largest list of statements that is kept for the next write.
const mostKept = 64

// later gives the statements of o to write, and their memory back. The caller has the
// turn.
func (s *Sole) later(o op, write func(...sqlite.Stmt) (*sqlite.Later, bool, error)) (*sqlite.Later, bool, error) {
	list, err := o.statements(s.list[:0])
	if err != nil {
		return nil, false, err
	}
	defer func() {
		for i := range list {
			list[i].Values.Release()
		}
		clear(list)
		if s.list = list[:0]; cap(list) > mostKept {
			s.list = nil
		}
	}()
	return write(list...)
}

// statements appends what stores o.
func (o *op) statements(list []sqlite.Stmt) ([]sqlite.Stmt, error) {
	if o.session == nil {
		t := o.stone
		return append(list,
			sqlite.Stmt{Query: deleteSession, Args: []any{o.entry.session.Key}},
			sqlite.Stmt{Query: insertTombstone, Args: []any{t.Key, t.ID, t.Owner, t.Version, t.DeleteTime.UnixMicro()}},
		), nil
	}
	s := o.session
	switch {
	case o.inserted:
		details, err := s.EncodeDetails()
		if err != nil {
			return nil, err
		}
		v := sqlite.NewValues(160 + len(s.ID) + len(s.Owner) + len(s.UserID) + len(s.Title) + len(details))
		v.Int(s.Key)
		v.Text(s.ID)
		v.Text(s.Owner)
		fields(&v, s, details)
		list = append(list, sqlite.Stmt{Query: insertKeyed, Values: v, Row: true})
	case store.Moved(o.entry.session, s):
		v := sqlite.NewValues(64)
		v.Int(s.UpdateTime.UnixMicro())
		v.Int(s.LastActiveTime.UnixMicro())
		v.Int(s.Version)
		v.Int(s.MessageCount)
		v.Int(s.Key)
		list = append(list, sqlite.Stmt{Query: moveSession, Values: v})
	default:
		details, err := s.EncodeDetails()
		if err != nil {
			return nil, err
		}
		v := sqlite.NewValues(160 + len(s.UserID) + len(s.Title) + len(details))
		fields(&v, s, details)
		v.Int(s.Key)
		list = append(list, sqlite.Stmt{Query: updateSession, Values: v})
	}
	for _, m := range o.add.Messages {
		v := sqlite.NewValues(64 + len(m.ID))
		v.Int(s.Key)
		v.Int(m.Position)
		v.Text(m.ID)
		v.Int(int64(m.Role))
		v.Int(m.Version)
		v.Int(m.CreateTime.UnixMicro())
		v.Int(m.Tokens)
		if len(m.Body) == 0 {
			v.Blob([]byte{})
		} else {
			v.Lend(m.Body)
		}
		list = append(list, sqlite.Stmt{Query: insertMessage, Values: v, Row: true})
	}
	for _, c := range o.add.Changes {
		v := sqlite.NewValues(32)
		v.Int(s.Key)
		v.Int(c.Version)
		v.Int(int64(c.Kind))
		v.Int(c.First)
		v.Int(c.Last)
		list = append(list, sqlite.Stmt{Query: insertChange, Values: v, Row: true})
	}
	return list, nil
}

// fields adds the columns that may change, in the order of the statements.
func fields(v *sqlite.Values, s *store.Session, details []byte) {
	v.Text(s.UserID)
	v.Text(s.Title)
	v.Int(int64(s.State))
	v.Blob(details)
	v.Int(s.CreateTime.UnixMicro())
	v.Int(s.UpdateTime.UnixMicro())
	v.Int(s.LastActiveTime.UnixMicro())
	v.Int(s.IdleTimeout.Microseconds())
	v.Int(s.ExpireTime.UnixMicro())
	if s.EndTime.IsZero() {
		v.Null()
	} else {
		v.Int(s.EndTime.UnixMicro())
	}
	v.Int(s.Version)
	v.Int(s.MessageCount)
	v.Text(s.ForkedFromSession)
	v.Text(s.ForkedFromMessage)
	v.Blob(s.RequestDigest)
}

package sqlite

import (
	"strings"

	lib "modernc.org/sqlite/lib"
)

// several is how many rows a statement inserts where many wait: it takes a fifth
// less than one for each.
const several = 8

// row is the Row of a write that has no other statement, or nil.
func (l *Later) row() *Stmt {
	var row *Stmt
	for i := range l.stmts {
		switch stmt := &l.stmts[i]; {
		case stmt.Query == "": // a Recording
		case row != nil || !stmt.Row || stmt.Values.none():
			return nil
		default:
			row = stmt
		}
	}
	return row
}

// runBatch runs what p has of a batch, in its order. Those that may be run together
// are left to g. The caller has the turn.
func (db *DB) runBatch(w *writer, p *pending, g *gathering) error {
	running := p.running[:0]
	for _, l := range p.batch {
		if l.state == laterRunning {
			running = append(running, l)
		}
	}
	p.running = running
	defer clear(running)
	for len(running) > 0 {
		n, err := w.runRows(running)
		if n == 0 && err == nil {
			n, err = 1, db.runLater(w, running[0].stmts, g)
		}
		if err != nil {
			return err
		}
		running = running[n:]
	}
	return nil
}

// runRows runs the first of some writes by one statement and returns how many of them
// were run: 0 where they are not alike, or the first of them is refused.
func (w *writer) runRows(list []*Later) (int, error) {
	if w.fatal != nil || len(list) < several {
		return 0, w.fatal
	}
	var rows [several]*Stmt
	for i, l := range list[:several] {
		if rows[i] = l.row(); rows[i] == nil || rows[i].Query != rows[0].Query {
			return 0, nil
		}
	}
	done, err := w.conn.insert(rows[:])
	if w.failed(err) != nil {
		return 0, err
	}
	for _, l := range list[:done] {
		for _, stmt := range l.stmts {
			w.recording(stmt)
		}
	}
	return done, nil
}

// insert runs Rows of one text by one statement and returns how many it has inserted:
// those before the first one that a constraint refuses, and none where they cannot be
// run together. After an error nobody knows, and the caller undoes them.
func (c *conn) insert(rows []*Stmt) (int, error) {
	s, err := c.statement(c.textOf(rows[0].Query, len(rows)))
	if refused(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer c.put(s)
	size, each := 0, s.params/len(rows)
	for _, row := range rows {
		if int(row.Values.packed[0]) != each {
			return 0, nil
		}
		size += row.Values.size()
	}
	if err := c.room.begin(c.tls, size); err != nil {
		return 0, err
	}
	begin := c.room.at
	for i, row := range rows {
		if err := c.bindPacked(s, row.Values, begin, int32(i*each), each); err != nil {
			return 0, err
		}
		begin += uintptr(row.Values.size())
	}
	_, err = c.finish(s)
	switch {
	case err == nil:
		return len(rows), nil
	case IsConstraintViolation(err):
		return int(lib.Xsqlite3_changes64(c.tls, c.db)), nil
	}
	c.texts[rows[0].Query] = rows[0].Query // whatever it is, it may come again: each is run by itself
	return 0, err
}

// insertInto is how a Row's text begins, and insertSome how one begins that leaves
// what it has inserted where it fails: SQLite need not note then how to undo it, which
// is a tenth of what a row takes.
const insertInto, insertSome = "insert into ", "insert or fail into "

// textOf is the text of a Row with the list of its values n times.
func (c *conn) textOf(query string, n int) string {
	text, ok := c.texts[query]
	if !ok {
		text = query + strings.Repeat(", "+query[max(0, strings.LastIndexByte(query, '(')):], n-1)
		if len(text) > len(insertInto) && strings.EqualFold(text[:len(insertInto)], insertInto) {
			text = insertSome + text[len(insertInto):]
		}
		if c.texts == nil {
			c.texts = map[string]string{}
		}
		c.texts[query] = text
	}
	return text
}

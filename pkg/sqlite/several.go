package sqlite

import "strings"

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

// runBatch runs writes in their order. Those that may be run together are left to g.
func (db *DB) runBatch(w *writer, batch []*Later, g *gathering) error {
	running := make([]*Later, 0, len(batch))
	for _, l := range batch {
		if l.state == laterRunning {
			running = append(running, l)
		}
	}
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

// runRows runs the first of some writes by one statement and returns how many these
// are: 0 where they are not alike, or one of them is refused, and so all are.
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
	ok, err := w.conn.insert(rows[:])
	if refused(w.failed(err)) {
		return 0, nil
	}
	if !ok || err != nil {
		return 0, err
	}
	for _, l := range list[:several] {
		for _, stmt := range l.stmts {
			w.recording(stmt)
		}
	}
	return several, nil
}

// insert runs Rows of one text by one statement; false where they have not as many
// values as it takes. Where it fails, it has inserted none.
func (c *conn) insert(rows []*Stmt) (bool, error) {
	s, err := c.statement(c.textOf(rows[0].Query, len(rows)))
	if err != nil {
		return false, err
	}
	defer c.put(s)
	size, each := 0, s.params/len(rows)
	for _, row := range rows {
		if int(row.Values.packed[0]) != each {
			return false, nil
		}
		size += row.Values.size()
	}
	if err := c.room.begin(c.tls, size); err != nil {
		return false, err
	}
	begin := c.room.at
	for i, row := range rows {
		if err := c.bindPacked(s, row.Values, begin, int32(i*each), each); err != nil {
			return false, err
		}
		begin += uintptr(row.Values.size())
	}
	_, err = c.finish(s)
	return err == nil, err
}

// textOf is the text of a Row with the list of its values n times.
func (c *conn) textOf(query string, n int) string {
	text, ok := c.texts[query]
	if !ok {
		text = query + strings.Repeat(", "+query[max(0, strings.LastIndexByte(query, '(')):], n-1)
		if c.texts == nil {
			c.texts = map[string]string{}
		}
		c.texts[query] = text
	}
	return text
}

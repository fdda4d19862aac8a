package sqlite

import (
	"strings"

	lib "modernc.org/sqlite/lib"
)

// several is how many rows a statement inserts where many wait: it takes a fifth
// less than one for each.
const several = 8

// together bounds the writes whose rows are run together: rows that were written one
// after the other lie side by side in memory.
const together = 128

// first is the first Row of a write that inserts Rows and nothing else, or nil.
func (l *Later) first() *Stmt {
	var first *Stmt
	for i := range l.stmts {
		switch stmt := &l.stmts[i]; {
		case stmt.Query == "": // a Recording
		case !stmt.Row || stmt.Values.none():
			return nil
		case first == nil:
			first = stmt
		}
	}
	return first
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
		n := alike(running)
		var err error
		if n < several {
			n, err = 1, db.runLater(w, running[0].stmts, g)
		} else {
			err = db.runRows(w, running[:n])
		}
		if err != nil {
			return err
		}
		running = running[n:]
	}
	return nil
}

// alike is how many of the first writes insert Rows alone, the first of each into the
// same table.
func alike(list []*Later) int {
	first := list[0].first()
	if first == nil {
		return 0
	}
	n := 1
	for n < min(len(list), together) {
		row := list[n].first()
		if row == nil || row.Query != first.Query {
			break
		}
		n++
	}
	return n
}

// sameRows are rows of one text.
type sameRows struct {
	query string
	rows  []*Stmt
}

// runRows runs writes that are alike: all rows of one text, and then those of the next,
// in the order in which the texts come.
func (db *DB) runRows(w *writer, list []*Later) error {
	if w.fatal != nil {
		return w.fatal
	}
	texts := w.texts[:0]
	defer func() {
		for i := range texts {
			clear(texts[i].rows)
		}
	}()
	for _, l := range list {
		for i := range l.stmts {
			if stmt := &l.stmts[i]; !w.recording(*stmt) {
				texts = sorted(texts, stmt)
			}
		}
	}
	w.texts = texts
	for _, same := range texts {
		for rows := same.rows; len(rows) > 0; {
			done, err := 0, error(nil)
			if len(rows) >= several {
				done, err = w.conn.insert(rows[:several])
			}
			if w.failed(err) != nil {
				return err
			}
			if done < min(several, len(rows)) { // the next one is refused, or too few are left
				if err := db.runLater(w, stmts{*rows[done]}, nil); err != nil {
					return err
				}
				done++
			}
			rows = rows[done:]
		}
	}
	return nil
}

// sorted adds a row to those of its text.
func sorted(texts []sameRows, row *Stmt) []sameRows {
	for i := range texts {
		if texts[i].query == row.Query {
			texts[i].rows = append(texts[i].rows, row)
			return texts
		}
	}
	if len(texts) < cap(texts) {
		texts = texts[:len(texts)+1]
	} else {
		texts = append(texts, sameRows{})
	}
	last := &texts[len(texts)-1]
	last.query, last.rows = row.Query, append(last.rows[:0], row)
	return texts
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

package sqlite

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"sync/atomic"
	"unsafe"
)

// texts are the statements that a journal's records name by a number instead of
// by their text, which would be a sixth of a turn's bytes. The table
// journal_statement beside the rooms' own has the text of each number; a record
// names it only when that is durable, and has the text itself until then.
type texts struct {
	numbers atomic.Pointer[map[string]uint64]
	places  atomic.Pointer[map[place]uint64] // of the same texts, where they lie
}

// place is where a text lies: it is long, and to look at all of it takes longer than all
// else that is done to name it.
type place struct {
	at   *byte
	size int
}

func placeOf(text string) place { return place{unsafe.StringData(text), len(text)} }

const (
	// maxTexts bounds what is kept: texts made at run time should not fill it.
	maxTexts = 256
	// minText is the shortest text that is worth a number.
	minText = 24

	makeTextsSQL = "create table if not exists journal_statement (number integer primary key, text text not null)"
	addTextSQL   = "insert into journal_statement (number, text) values (?, ?) on conflict do nothing"
	// A process names its own texts only, and has run the records of the time
	// before when it begins.
	dropTextsSQL = "delete from journal_statement"
)

// number of a text is its hash, so that a text has the same one in every file: a
// record can be taken for no other's.
func number(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return h.Sum64()
}

// known returns the number of a text where a record may name it.
func (t *texts) known(text string) (uint64, bool) {
	if m := t.places.Load(); m != nil {
		if n, ok := (*m)[placeOf(text)]; ok {
			return n, true
		}
	}
	if m := t.numbers.Load(); m != nil {
		n, ok := (*m)[text]
		return n, ok
	}
	return 0, false
}

// add stores, in the transaction of w, the texts that have no number yet, and
// returns what makes them known after its commit; nil where there are none.
func (t *texts) add(w *writer, batch []*Later) (map[string]uint64, error) {
	var old, added map[string]uint64
	if m := t.numbers.Load(); m != nil {
		old = *m
	}
	for _, l := range batch {
		if !l.spelled {
			continue
		}
		for _, stmt := range l.stmts {
			if _, ok := old[stmt.Query]; ok || len(stmt.Query) < minText || len(old)+len(added) >= maxTexts {
				continue
			}
			if _, ok := added[stmt.Query]; ok {
				continue
			}
			n := number(stmt.Query)
			changed, err := w.execute(addTextSQL, []any{int64(n), stmt.Query})
			if err != nil {
				return nil, w.failed(err)
			}
			if changed == 0 { // another text has the number
				continue
			}
			if added == nil {
				added = map[string]uint64{}
			}
			added[stmt.Query] = n
		}
	}
	return added, nil
}

// publish makes texts known whose numbers are committed. The caller holds the
// turn.
func (t *texts) publish(added map[string]uint64) {
	if len(added) == 0 {
		return
	}
	if m := t.numbers.Load(); m != nil {
		maps.Copy(added, *m)
	}
	places := make(map[place]uint64, len(added))
	for text, n := range added {
		places[placeOf(text)] = n
	}
	t.numbers.Store(&added)
	t.places.Store(&places)
}

// stored reads the texts of the table by their numbers.
func (db *DB) storedTexts(ctx context.Context) (map[uint64]string, error) {
	rows, err := db.read.QueryContext(ctx, "select number, text from journal_statement")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stored := map[uint64]string{}
	for rows.Next() {
		var n int64
		var text string
		if err := rows.Scan(&n, &text); err != nil {
			return nil, err
		}
		stored[uint64(n)] = text
	}
	return stored, rows.Err()
}

// unknown stands for a statement whose text is missing: the database is not the
// one that the record was written for. SQLite refuses it, and it is reported as
// lost like every statement that cannot be run.
func unknown(n uint64) string { return fmt.Sprintf("statement %016x of another database", n) }

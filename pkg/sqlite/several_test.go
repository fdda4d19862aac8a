package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	lib "modernc.org/sqlite/lib"

	"github.com/gptmesh/gptmesh/pkg/outbox"
)

const rowSQL = "insert into rows (id, name, body) values (?, ?, ?)"

// laterRow writes a Row that tells its name.
func laterRow(t *testing.T, db *DB, id int, name string) *Later {
	t.Helper()
	v := NewValues(32)
	v.Int(int64(id))
	v.Text(name)
	v.Lend([]byte(strings.Repeat(name, 3)))
	l, err := db.Later(outbox.With(t.Context(), []byte("<"+name+">")), Stmt{Query: rowSQL, Values: v, Row: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRowsAreRunTogether mixes rows that can be run together with what stands between
// them, and with one that is refused, and holds the table and what was told against
// what each would have left by itself.
func TestRowsAreRunTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	db := open(t, Config{Path: filepath.Join(dir, "rows.db"), Journal: j, Name: "rows"})
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "create table outbox (seq integer primary key, micros integer not null, record blob not null)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want, told, lost := map[string]string{}, "", uint64(0)
	for i := range 100 {
		name := strconv.Itoa(i)
		switch i {
		case 33: // refused
			laterRow(t, db, 7, name)
			lost++
		case 50: // between rows, and about one of them
			if _, err := db.Later(t.Context(), Stmt{Query: "update rows set name = 'changed' where id = ?", Args: []any{49}}); err != nil {
				t.Fatal(err)
			}
			want["49"] = "changed"
			continue
		case 60, 61: // in the place of what is never run, as a rule
			first := laterRow(t, db, i, "first")
			v := NewValues(32)
			v.Int(int64(i))
			v.Text(name)
			v.Null()
			_, ok, err := db.Instead(outbox.With(t.Context(), []byte("<"+name+">")), first, Stmt{Query: rowSQL, Values: v, Row: true})
			if err != nil {
				t.Fatal(err)
			}
			told += "<first>"
			if !ok {
				want[name] = "first"
				continue
			}
			want[name] = name
		default:
			laterRow(t, db, i, name)
			want[name] = name
		}
		told += "<" + name + ">"
	}
	rows, err := db.Query(t.Context(), "select id, name, body from rows")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := 0
	for rows.Next() {
		var id, name string
		var body []byte
		if err := rows.Scan(&id, &name, &body); err != nil {
			t.Fatal(err)
		}
		if want[id] != name || name == id && len(body) > 0 && string(body) != strings.Repeat(id, 3) {
			t.Errorf("row %s has %q and %q", id, name, body)
		}
		got++
	}
	if err := rows.Err(); err != nil || got != len(want) {
		t.Errorf("%d rows of %d, %v", got, len(want), err)
	}
	var record string
	if err := db.QueryRow(t.Context(), "select group_concat(cast(record as text), '') from (select record from outbox order by seq)").Scan(&record); err != nil || record != told {
		t.Errorf("told %q, %v; want %q", record, err, told)
	}
	if db.Lost() != lost {
		t.Errorf("%d rows were lost, of which %d could not be stored", db.Lost(), lost)
	}
}

// TestRowsHaveTheirValues runs rows that have fewer values than their text takes, or
// none that SQLite can prepare several of, each as by itself.
func TestRowsHaveTheirValues(t *testing.T) {
	t.Parallel()
	cfg, err := Config{Path: filepath.Join(t.TempDir(), "rows.db"), Synchronous: Off}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.exec("create table rows (id integer primary key, name text not null, body blob)", nil); err != nil {
		t.Fatal(err)
	}
	rows := func(query string, first, values int) []*Stmt {
		var list []*Stmt
		for i := range several {
			v := NewValues(32)
			v.Int(int64(first + i))
			v.Text(fmt.Sprint("row ", i))
			if values > 2 {
				v.Lend([]byte("body"))
			}
			list = append(list, &Stmt{Query: query, Values: v, Row: true})
		}
		return list
	}
	if n, err := c.insert(rows(rowSQL, 1, 3)); n != several || err != nil {
		t.Error(n, err)
	}
	if n, err := c.insert(rows(rowSQL, 20, 2)); n != 0 || err != nil {
		t.Errorf("rows that lack a value: %v, %v", n, err)
	}
	if n, err := c.insert(rows(rowSQL, 8, 3)); n != 0 || err != nil {
		t.Errorf("rows of which the first is there: %v, %v", n, err)
	}
	if n, err := c.insert(rows(rowSQL, -4, 3)); n != 5 || err != nil {
		t.Errorf("rows of which the sixth is there: %v, %v", n, err)
	}
	if n, err := c.insert(rows("insert into rows (id, name) select ?, ? ", 40, 2)); n != 0 || err != nil {
		t.Errorf("no list of values: %v, %v", n, err)
	}
	s, _, err := c.query("select count(*), sum(name like 'row %' and cast(body as text) = 'body') from rows", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.put(s)
	if n, right := lib.Xsqlite3_column_int(c.tls, s.handle, 0), lib.Xsqlite3_column_int(c.tls, s.handle, 1); n != several+5 || right != several+5 {
		t.Errorf("%d rows, %d of them right; want %d", n, right, several+5)
	}
}

// TestRowThatCannotBe runs rows of which one is refused by something other than a
// constraint: what was inserted with it is undone, all are run again each by itself,
// and that one is lost.
func TestRowThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	db := open(t, Config{Path: filepath.Join(dir, "rows.db"), Journal: j, Name: "rows"})
	for i := range several {
		v := NewValues(32)
		if i == 5 {
			v.Text("no number")
		} else {
			v.Int(int64(i))
		}
		v.Text(strconv.Itoa(i))
		v.Null()
		if _, err := db.Later(t.Context(), Stmt{Query: rowSQL, Values: v, Row: true}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		var n int
		if err := db.QueryRow(t.Context(), "select count(*) from rows").Scan(&n); err != nil {
			continue
		}
		if n != several-1 || db.Lost() != 1 {
			t.Errorf("%d rows and %d lost; want %d and 1", n, db.Lost(), several-1)
		}
		return
	}
	t.Error("the rows are never run")
}

// TestRowsOfSeveralTables runs writes that insert a row and others that refer to it,
// mixed with such as refer to rows of before: all are there, though rows of one table
// are run together.
func TestRowsOfSeveralTables(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	const noteSQL = "insert into notes (row, text) values (?, ?)"
	note := func(row int, text string) Stmt {
		v := NewValues(32)
		v.Int(int64(row))
		v.Text(text)
		return Stmt{Query: noteSQL, Values: v, Row: true}
	}
	write := func(list ...Stmt) {
		if _, err := db.Later(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
	}
	notes := 0
	for i := range 60 {
		v := NewValues(32)
		v.Int(int64(i))
		v.Text(strconv.Itoa(i))
		v.Null()
		list := []Stmt{{Query: rowSQL, Values: v, Row: true}}
		for n := range i % 4 {
			list, notes = append(list, note(i, strconv.Itoa(n))), notes+1
		}
		write(list...)
		if i%25 == 20 { // what comes first is another table's
			write(note(i, "late"))
			notes++
		}
	}
	var rows, found, orphans int
	err := db.QueryRow(t.Context(), `select (select count(*) from rows), count(*), count(*) filter (where not exists (select 1 from rows where id = n.row)) from notes n`).
		Scan(&rows, &found, &orphans)
	if err != nil || rows != 60 || found != notes || orphans != 0 || db.Lost() != 0 {
		t.Errorf("%d rows, %d notes of %d, %d orphans, %d lost, %v", rows, found, notes, orphans, db.Lost(), err)
	}
}

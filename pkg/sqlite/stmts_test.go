package sqlite

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// spelled and numbered are what records of texts without and with numbers have.
func spelled(string) (uint64, bool) { return 0, false }

func numbered(text string) (uint64, bool) { return number(text), true }

func TestStmtsRoundTrip(t *testing.T) {
	t.Parallel()
	in := stmts{
		{Query: "q", Args: []any{nil, int64(-5), 1.5, "text", []byte{0, 1}, true, false, []byte{}}},
		Recording([]byte("told")), {Query: "other"}, Recording([]byte{}), {},
	}
	stored := map[uint64]string{number("q"): "q", number("other"): "other"}
	for name, known := range map[string]func(string) (uint64, bool){"spelled": spelled, "numbered": numbered} {
		data, whole := in.appendTo(nil, known)
		out, err := parseStmts(data, stored)
		if err != nil || !reflect.DeepEqual(in, out) || whole != (name == "spelled") {
			t.Errorf("%s: %v\n%v %v", name, in, out, err)
		}
		for n := range data {
			if out, err := parseStmts(data[:n], stored); err == nil && len(out) >= len(in) {
				t.Errorf("%s: %d of %d bytes were taken for all", name, n, len(data))
			}
		}
	}
	data, _ := in[:1].appendTo(nil, numbered)
	if out, err := parseStmts(data, nil); err != nil || out[0].Query != unknown(number("q")) {
		t.Error(out, err)
	}
	// As versions wrote it that knew no numbers.
	old := append([]byte("\x01q\x01\x01\x0a"), "\x00\x01\x04\x02hi"...)
	out, err := parseStmts(old, nil)
	if want := (stmts{{Query: "q", Args: []any{int64(5)}}, Recording([]byte("hi"))}); err != nil || !reflect.DeepEqual(out, want) {
		t.Error(out, err)
	}
}

// TestValuesArePackedAsArgs writes rows by Values and by Args: they make the same
// record, the same row at once, and the same row after a crash.
func TestValuesArePackedAsArgs(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("large"), 1000)
	args := []any{nil, int64(-1 << 40), true, false, "text", "", []byte("blob"), []byte{}, []byte(nil), large, int64(7), large, "end"}
	v := NewValues(8)
	v.Null()
	v.Int(-1 << 40)
	head := v.Apart() // v may not be used any more
	v = head.Begin(20)
	v.Bool(true)
	v.Bool(false)
	v.Text("text")
	v.Text("")
	v.Blob([]byte("blob"))
	v.Blob([]byte{})
	v.Blob(nil)
	v.Lend(large)
	v.Int(7)
	v.Lend(large)
	v.Text("end")
	query := "insert into wide values (?" + strings.Repeat(", ?", len(args)-1) + ")"
	packed, plain := stmts{{Query: query, Values: v}}, stmts{{Query: query, Args: args}}
	one, _ := packed.appendTo(nil, spelled)
	other, _ := plain.appendTo(nil, spelled)
	if !bytes.Equal(one, other) {
		t.Errorf("values make the record %q, arguments %q", one, other)
	}

	dir := t.TempDir()
	db := journaled(t, dir)
	columns := "c0"
	for i := range len(args) - 1 {
		columns += ", c" + strconv.Itoa(i+1)
	}
	if _, err := db.Exec(t.Context(), "create table wide ("+columns+")"); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Run(t.Context(), plain[0]); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := db.Run(t.Context(), packed[0]); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	later(t, db, packed[0])
	later(t, db, plain[0])
	crashed := copied(t, dir)
	const kinds = `select count(*) from (select distinct *, typeof(c0), typeof(c1), typeof(c2), typeof(c5), typeof(c7), typeof(c8), typeof(c9) from wide)`
	for name, db := range map[string]*DB{"at once": db, "after a crash": journaled(t, crashed)} {
		var rows, different int
		if err := db.QueryRow(t.Context(), "select count(*) from wide").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow(t.Context(), kinds).Scan(&different); err != nil || rows != 4 || different != 1 {
			t.Errorf("%s: %d rows, %d of them different, %v", name, rows, different, err)
		}
	}
	if _, err := db.Run(t.Context(), Stmt{Query: "select ?, ?, ?", Values: head}); err == nil {
		t.Error("an argument was missing, and nobody said so")
	}
}

func FuzzParseStmts(f *testing.F) {
	example := stmts{{Query: "q", Args: []any{nil, int64(-5), 1.5, "text", []byte{0, 1}, true}}, Recording([]byte("told"))}
	for _, known := range []func(string) (uint64, bool){spelled, numbered} {
		data, _ := example.appendTo(nil, known)
		f.Add(data)
	}
	stored := map[uint64]string{number("q"): "q"}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseStmts(data, stored)
		if err != nil {
			return
		}
		for _, known := range []func(string) (uint64, bool){spelled, func(text string) (uint64, bool) { return number("q"), text == "q" }} {
			data, _ := list.appendTo(nil, known)
			again, err := parseStmts(data, stored)
			if err != nil || len(again) != len(list) {
				t.Fatal(err)
			}
		}
	})
}

// A record names a statement by its number once the text is committed, and is
// read with it after a crash.
func TestTextsOfAnotherTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := journaled(t, dir)
	text := row(1).Query
	at := func() uint64 { return db.cfg.Journal.Stats().Bytes }
	later(t, db, row(1))
	long := at()
	if err := db.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, known := db.texts.known(text); !known {
		t.Fatal("the text has no number")
	}
	l := later(t, db, row(2))
	if short := at() - long; short+uint64(len(text)) > long+10 {
		t.Errorf("records of %d and then %d bytes", long, short)
	}
	if l.spelled {
		t.Error("the text was written again")
	}
	again := journaled(t, copied(t, dir)) // as a crash leaves it
	if n := count(t, again); n != 2 {
		t.Errorf("%d rows after a crash", n)
	}
	if lost := again.Lost(); lost > 0 {
		t.Errorf("%d rows were lost", lost)
	}
	if _, known := again.texts.known(text); known {
		t.Error("the text of another process has a number before it is used")
	}
	later(t, again, row(3))
	if n := count(t, again); n != 3 {
		t.Errorf("%d rows", n)
	}
}

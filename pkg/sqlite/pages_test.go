package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// Whoever writes later may use the memory of its values, of what was borrowed and
// of its record again at once. With the tag meshclone what is given back is spoilt.
func TestLaterKeepsItsOwn(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	if _, err := db.Exec(t.Context(), "create table outbox (seq integer primary key, micros integer not null, record blob not null)"); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 40<<10)
	write := func(earlier *Later, id, size int, name string) *Later {
		t.Helper()
		copy(body, bytes.Repeat([]byte{'a' + byte(id%26)}, size))
		v := NewValues(8)
		v.Int(int64(id))
		v.Text(name + " " + strconv.Itoa(id))
		if id%3 == 0 {
			v.Lend(bytes.Clone(body[:size]))
		} else {
			v.Borrow(body[:size])
		}
		record := []byte(fmt.Sprintf("<%d %s>", id, name))
		ctx := outbox.With(t.Context(), record)
		stmt := Stmt{Query: "insert into rows (id, name, body) values (?, ?, ?)", Values: v}
		var l *Later
		var err error
		if earlier == nil {
			l, err = db.Later(ctx, stmt)
		} else {
			l, _, err = db.Instead(ctx, earlier, stmt)
		}
		if err != nil {
			t.Fatal(err)
		}
		stmt.Values.Release()
		clear(body)
		clear(record)
		return l
	}
	const rows = 200
	var names [3 * rows][]string // of the writes of each row
	sizes := []int{0, 1, 700, 5000, maxPiece + 1}
	for round := range 3 { // pages of the first round are used again in the others
		first := round * rows
		var batch []*Later
		for i := range rows {
			batch = append(batch, write(nil, first+i, sizes[i%len(sizes)], "first"))
			names[first+i] = []string{"first"}
		}
		for i := 0; i < rows; i += 2 {
			l := write(batch[i], first+i, sizes[(i+1)%len(sizes)], "second")
			if l == nil { // the first was run meanwhile
				continue
			}
			names[first+i] = append(names[first+i], "second")
			if i%4 == 0 && write(l, first+i, sizes[(i+2)%len(sizes)], "third") != nil {
				names[first+i] = append(names[first+i], "third")
			}
		}
		for i := range rows {
			var name string
			var got []byte
			if err := db.QueryRow(t.Context(), "select name, body from rows where id = ?", first+i).Scan(&name, &got); err != nil {
				t.Fatal(err)
			}
			times := len(names[first+i]) - 1
			want := bytes.Repeat([]byte{'a' + byte((first+i)%26)}, sizes[(i+times)%len(sizes)])
			if !bytes.Equal(got, want) || !strings.HasPrefix(name, names[first+i][times]) {
				t.Fatalf("row %d: %s, %d bytes %.9q", first+i, name, len(got), got)
			}
		}
	}
	if db.Lost() > 0 {
		t.Error("rows were lost")
	}
	var told strings.Builder
	records, err := db.Query(t.Context(), "select record from outbox order by 1")
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	for records.Next() {
		var record []byte
		if err := records.Scan(&record); err != nil {
			t.Fatal(err)
		}
		told.Write(record)
	}
	for i, list := range names {
		want := ""
		for _, name := range list {
			want += "<" + strconv.Itoa(i) + " " + name + ">"
		}
		if strings.Count(told.String(), want) != 1 {
			t.Fatalf("%s is not told once", want)
		}
	}
}

// A row that waits takes no memory of its own but its part of a page.
func TestLaterAllocates(t *testing.T) {
	db := journaled(t, t.TempDir())
	next := 0
	write := func() {
		next++
		v := NewValues(100)
		v.Int(int64(next))
		v.Text(strconv.Itoa(next))
		stmt := Stmt{Query: "insert into rows (id, name) values (?, ?)", Values: v}
		if _, err := db.Later(context.Background(), stmt); err != nil {
			t.Fatal(err)
		}
		stmt.Values.Release()
		if next%100 == 0 {
			if err := db.settle(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2000 {
		write()
	}
	if n := testing.AllocsPerRun(2000, write); n > 1 { // of the journal, the commit and the slab
		t.Errorf("%v allocations a row", n)
	}
}

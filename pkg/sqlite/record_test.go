package sqlite

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/outbox"
)

func TestRecordsAreThereWithWhatTheyTell(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "create table outbox (seq integer primary key, micros integer not null, record blob not null)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var told atomic.Int32
	db.OnRecord(func() { told.Add(1) })

	// Calls that share commits: every third is undone, every fourth changes nothing.
	var calls sync.WaitGroup
	for i := range 60 {
		name := "<" + strconv.Itoa(i) + ">"
		calls.Go(func() {
			switch {
			case i%3 == 0:
				_ = db.Write(context.Background(), func(ctx context.Context, tx *Tx) error {
					tx.Record([]byte("undone"))
					return errors.New("undone")
				})
			case i%4 == 0:
				if n, err := db.Exec(outbox.With(context.Background(), []byte("undone")), "update rows set name = 'x' where id = -1"); n != 0 || err != nil {
					t.Error(n, err)
				}
			case i%2 == 0:
				if n, err := db.Exec(outbox.With(context.Background(), []byte(name)), "insert into rows (id, name, body) values (?, ?, '')", i, name); n != 1 || err != nil {
					t.Error(n, err)
				}
			default:
				if err := db.Write(context.Background(), func(ctx context.Context, tx *Tx) error {
					_, err := tx.Exec(ctx, "insert into rows (id, name, body) values (?, ?, '')", i, name)
					tx.Record([]byte(name))
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	var names, records []string
	for _, list := range []struct {
		query string
		into  *[]string
	}{{"select name from rows", &names}, {"select record from outbox order by seq", &records}} {
		rows, err := db.Read().Query(list.query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			*list.into = append(*list.into, text)
		}
		rows.Close()
	}
	if int(told.Load()) != len(records) {
		t.Errorf("told %d times of %d rows", told.Load(), len(records))
	}
	got := strings.SplitAfter(strings.TrimSuffix(strings.Join(records, ""), ""), ">")
	got = got[:len(got)-1]
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("records %v\nrows %v", got, names)
	}
}

func TestRecordsOfLaterWrites(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "create table outbox (seq integer primary key, micros integer not null, record blob not null)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	first, err := db.Later(outbox.With(t.Context(), []byte("<1>")), row(1))
	if err == nil {
		err = first.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	begun := later(t, db, row(2), Recording([]byte("<2 begins>")))
	ended, ok, err := db.Instead(t.Context(), begun, row(3), Recording([]byte("<2 ends>")))
	if err != nil {
		t.Fatal(err)
	}
	if !ok { // it was run meanwhile
		ended = later(t, db, row(3), Recording([]byte("<2 ends>")))
	}
	if err := ended.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Exec(outbox.With(t.Context(), []byte("<4>")), "insert into rows (id, name) values (4, 'four')"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	rows, err := db.Peek(t.Context(), "select record from outbox order by seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all string
	for rows.Next() {
		var record string
		if err := rows.Scan(&record); err != nil {
			t.Fatal(err)
		}
		all += record
	}
	if want := "<1><2 begins><2 ends><4>"; all != want {
		t.Errorf("recorded %q, want %q", all, want)
	}
}

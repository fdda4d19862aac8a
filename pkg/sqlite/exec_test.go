package sqlite

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestExecCountsWhatItChanged(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	for i := range 3 {
		if n, err := db.Exec(t.Context(), "insert into rows (id, name, body) values (?, ?, ?)", int32(i), fmt.Sprint(i), nil); n != 1 || err != nil {
			t.Fatalf("insert: %d rows, %v", n, err)
		}
	}
	for query, want := range map[string]int64{
		"update rows set name = name || '!' where id > ?": 2,
		"update rows set name = 'x' where id = ? + 100":   0,
	} {
		if n, err := db.Exec(t.Context(), query, 0); n != want || err != nil {
			t.Errorf("%s: %d rows, %v; want %d", query, n, err, want)
		}
	}
	// What is not SQLite's own type is made so, as database/sql does.
	if _, err := db.Exec(t.Context(), "insert into rows (id, name) values (?, ?)", uint8(7), time.Second); err != nil {
		t.Error(err)
	}
	if _, err := db.Exec(t.Context(), "insert into rows (id, name) values (?, ?)", struct{}{}, ""); err == nil {
		t.Error("a struct was taken for a value")
	}
	if _, err := db.Exec(t.Context(), "insert into nowhere values (1)"); err == nil {
		t.Error("a table that is not there was written to")
	}
}

// TestFailedExecLeavesTheOthers mixes both ways of writing in shared batches.
func TestFailedExecLeavesTheOthers(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			// Each name is wanted by three, and of its first taker.
			_, err := db.Exec(t.Context(), "insert into rows (id, name) values (?, ?)", i, fmt.Sprint("exec", i/3))
			if err != nil && !IsUniqueViolation(err) {
				t.Errorf("exec %d: %v", i, err)
			}
		})
		wg.Go(func() {
			err := db.Write(t.Context(), insert(1000+i, fmt.Sprint("write", i/3)))
			if err != nil && !IsUniqueViolation(err) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db); n != 200 {
		t.Errorf("%d rows, want 200", n)
	}
	if s := db.Stats(); s.Writes != 200 {
		t.Errorf("stats %+v, want 200 writes", s)
	}
}

//go:build amd64 || arm64

package sqlite

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	lib "modernc.org/sqlite/lib"
)

// moveLogNow is moveLog of a log that has become long.
func (c *conn) moveLogNow() {
	*at[int32](c.grown) = maxLog
	c.moveLog()
}

// TestNoCheckpointInVain moves logs whose tables' file fails, with readers that hold
// some of a log back and with writers between, and holds what is read, and what would
// be after a kill, against what was acknowledged.
func TestNoCheckpointInVain(t *testing.T) {
	t.Parallel()
	for _, mode := range []Synchronous{Full, Off} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			cfg, f := shimmed(t, mode)
			writers := []*conn{narrow(t, cfg), narrow(t, cfg)}
			reader, slow := narrow(t, cfg), narrow(t, cfg)
			if _, err := writers[0].exec("create table rows (id integer primary key, body text not null)", nil); err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(11, uint64(len(mode))))
			whole, reads := map[int64]string{}, false
			var old map[int64]string
			failed, moved := 0, 0
			for step := range 120 {
				f.tables.none()
				if random.IntN(3) == 0 {
					reads, old = turn(t, slow, reads), whole
				}
				w := writers[random.IntN(2)]
				whole = neighbours(t, w, random, whole)
				if random.IntN(2) == 0 {
					continue // the next log has more than one transaction
				}
				switch random.IntN(4) {
				case 0:
					f.tables.failAfter = random.Int64N(6)
				case 1:
					f.tables.failAfter, f.tables.code, f.tables.short = random.Int64N(2), lib.SQLITE_IOERR|3<<8, random.Int32N(70_000)
				case 2:
					f.tables.failSync = 0
				}
				trouble := f.tables
				w.moveLogNow()
				switch {
				case f.tables.failAfter < trouble.failAfter && f.tables.failAfter < 0 || f.tables.failSync != trouble.failSync:
					failed++
				case f.tables.writes > trouble.writes:
					moved++
				}
				f.tables.none()
				for i, c := range []*conn{reader, writers[0], writers[1]} {
					if rows, err := rowsOf(c); err != nil || !maps.Equal(rows, whole) {
						t.Fatalf("step %d: connection %d reads %d rows, %v; %d were acknowledged", step, i, len(rows), err, len(whole))
					}
				}
				if step%3 == 0 {
					if rows := recovered(t, cfg.Path); !maps.Equal(rows, whole) {
						t.Fatalf("step %d: recovered %d rows of %d", step, len(rows), len(whole))
					}
				}
				if reads {
					if rows, err := rowsOf(slow); err != nil || !maps.Equal(rows, old) {
						t.Fatalf("step %d: who began before reads %d rows, %v; there were %d", step, len(rows), err, len(old))
					}
				}
			}
			if failed < 10 || moved < 10 {
				t.Errorf("%d checkpoints failed, %d moved something: too few to tell", failed, moved)
			}
			if reads {
				turn(t, slow, reads)
			}
			sound(t, reader)
		})
	}
}

// neighbours changes some rows that lie together, and returns what the table then
// holds.
func neighbours(t *testing.T, c *conn, random *rand.Rand, before map[int64]string) map[int64]string {
	t.Helper()
	after, first := maps.Clone(before), random.Int64N(300)
	if _, err := c.exec("BEGIN IMMEDIATE", nil); err != nil {
		t.Fatal(err)
	}
	for i := range 1 + random.Int64N(12) {
		id, body := first+i, strings.Repeat(string(rune('a'+random.IntN(26))), 1000+random.IntN(1500))
		if _, err := c.exec("insert or replace into rows (id, body) values (?, ?)", []any{id, body}); err != nil {
			t.Fatal(err)
		}
		after[id] = body
	}
	if _, err := c.exec("COMMIT", nil); err != nil {
		t.Fatal(err)
	}
	return after
}

// turn begins what a connection reads, or ends it.
func turn(t *testing.T, c *conn, reads bool) bool {
	t.Helper()
	query := "BEGIN"
	if reads {
		query = "COMMIT"
	}
	_, err := c.exec(query, nil)
	if err == nil && !reads {
		_, err = rowsOf(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return !reads
}

// TestPagesAreGathered shows that a checkpoint of a whole log is few writes, and that
// one which leaves frames behind, or lets others write, holds none of them back.
func TestPagesAreGathered(t *testing.T) {
	t.Parallel()
	const pages = 200
	fill := func(t *testing.T, c *conn) {
		t.Helper()
		if _, err := c.exec("insert into rows (body) with recursive n(i) as (select 1 union all select i+1 from n where i < ?) select hex(zeroblob(1900)) from n", []any{pages}); err != nil {
			t.Fatal(err)
		}
	}
	for name, held := range map[string]bool{"alone": true, "beside a reader": false, "beside a writer": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, f := shimmed(t, Off)
			c, other := narrow(t, cfg), narrow(t, cfg)
			if _, err := c.exec("create table rows (id integer primary key, body text not null)", nil); err != nil {
				t.Fatal(err)
			}
			fill(t, c)
			switch name {
			case "beside a reader":
				turn(t, other, false)
				fill(t, c)
			case "beside a writer":
				if _, err := other.exec("BEGIN IMMEDIATE", nil); err != nil {
					t.Fatal(err)
				}
			}
			f.tables.writes = 0
			c.moveLogNow()
			if n := f.tables.writes; held && (n < pages*4096/piece || n > pages/8) || !held && n < pages {
				t.Errorf("%d writes for %d pages and more", n, pages)
			}
			if name != "alone" {
				if _, err := other.exec("COMMIT", nil); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := rowsOf(other)
			if err != nil || len(rows)%pages != 0 || len(rows) == 0 {
				t.Errorf("%d rows, %v", len(rows), err)
			}
			sound(t, other)
		})
	}
}

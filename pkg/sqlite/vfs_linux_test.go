//go:build amd64 || arm64

package sqlite

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// TestNoCommitInVain runs transactions of two connections in turn, with faults of the
// file of their log, and holds what they and a reader find against what was
// acknowledged.
func TestNoCommitInVain(t *testing.T) {
	t.Parallel()
	for _, mode := range []Synchronous{Full, Normal, Off} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			cfg, f := shimmed(t, mode)
			log := &f.log
			writers := []*conn{narrow(t, cfg), narrow(t, cfg)}
			reader := narrow(t, cfg)
			if _, err := writers[0].exec("create table rows (id integer primary key, body text not null)", nil); err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(7, uint64(len(mode))))
			whole := map[int64]string{}
			var failed, committed int
			for step := range 50 {
				log.none()
				switch random.IntN(4) {
				case 0:
					log.failAfter = random.Int64N(40)
				case 1:
					log.failAfter, log.code, log.short = random.Int64N(8), lib.SQLITE_IOERR|3<<8, random.Int32N(9000)
				case 2:
					log.failSync = random.Int64N(3)
				}
				w := writers[random.IntN(2)]
				next, err := transaction(w, random, whole)
				if err == nil {
					whole = next
					committed++
				} else {
					failed++
					_, _ = w.exec("ROLLBACK", nil) // where SQLite has not done it
				}
				log.none()
				for i, c := range []*conn{reader, writers[0], writers[1]} {
					if rows, err := rowsOf(c); err != nil || !maps.Equal(rows, whole) {
						t.Fatalf("step %d: connection %d reads %d rows, %v; %d were acknowledged", step, i, len(rows), err, len(whole))
					}
				}
				if err == nil && step%5 == 0 {
					if rows := recovered(t, cfg.Path); !maps.Equal(rows, whole) {
						t.Fatalf("step %d: recovered %d rows of %d", step, len(rows), len(whole))
					}
				}
			}
			if failed < 8 || committed < 8 {
				t.Errorf("%d transactions failed, %d were committed: too few to tell", failed, committed)
			}
			sound(t, reader)
		})
	}
}

// transaction changes rows at random, undoes some of it, and commits or rolls back. It
// returns what the table then holds.
func transaction(c *conn, random *rand.Rand, before map[int64]string) (map[int64]string, error) {
	after := maps.Clone(before)
	if _, err := c.exec("BEGIN IMMEDIATE", nil); err != nil {
		return nil, err
	}
	for range 1 + random.IntN(3) {
		mark := maps.Clone(after)
		if _, err := c.exec("SAVEPOINT one", nil); err != nil {
			return nil, err
		}
		for range random.IntN(60) {
			id, body := random.Int64N(80), strings.Repeat(string(rune('a'+random.IntN(26))), 1+random.IntN(1500))
			if _, err := c.exec("insert or replace into rows (id, body) values (?, ?)", []any{id, body}); err != nil {
				return nil, err
			}
			after[id] = body
		}
		if random.IntN(3) == 0 {
			after = mark
			if _, err := c.exec("ROLLBACK TO one", nil); err != nil {
				return nil, err
			}
		}
		if _, err := c.exec("RELEASE one", nil); err != nil {
			return nil, err
		}
	}
	if random.IntN(5) == 0 {
		_, err := c.exec("ROLLBACK", nil)
		return before, err
	}
	_, err := c.exec("COMMIT", nil)
	return after, err
}

// TestFramesAreGathered shows that a commit is few writes, all of them before it is
// acknowledged.
func TestFramesAreGathered(t *testing.T) {
	t.Parallel()
	cfg, f := shimmed(t, Off)
	c, err := connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.exec("create table rows (id integer primary key, body text not null)", nil); err != nil {
		t.Fatal(err)
	}
	f.log.writes = 0
	const pages = 200
	if _, err := c.exec("insert into rows (body) with recursive n(i) as (select 1 union all select i+1 from n where i < ?) select hex(zeroblob(1900)) from n", []any{pages}); err != nil {
		t.Fatal(err)
	}
	if f.log.writes < pages*4096/piece || f.log.writes > pages/8 {
		t.Errorf("%d writes for %d pages and more", f.log.writes, pages)
	}
	if rows := recovered(t, cfg.Path); len(rows) != pages {
		t.Errorf("the files hold %d rows of %d", len(rows), pages)
	}
}

// sound asks SQLite whether a file is.
func sound(t *testing.T, c *conn) {
	t.Helper()
	s, _, err := c.query("pragma integrity_check", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.put(s)
	if text := libc.GoString(lib.Xsqlite3_column_text(c.tls, s.handle, 0)); text != "ok" {
		t.Error(text)
	}
}

package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/postgres"
)

// database is the PostgreSQL that meshes keep their rows in, while it is measured
// beside them.
type database struct {
	db   *postgres.DB
	main int // its first process; 0 where it runs elsewhere
}

// openDatabase returns nil without an address.
func openDatabase(address string) (*database, error) {
	if address == "" {
		return nil, nil
	}
	db, err := postgres.Open(context.Background(), postgres.Config{URL: address, MaxConns: 1})
	if err != nil {
		return nil, err
	}
	d := &database{db: db}
	var folder string
	if db.Pool().QueryRow(context.Background(), "select setting from pg_settings where name = 'data_directory'").Scan(&folder) == nil {
		text, _ := os.ReadFile(filepath.Join(folder, "postmaster.pid"))
		first, _, _ := strings.Cut(string(text), "\n")
		d.main, _ = strconv.Atoi(first)
	}
	return d, nil
}

func (d *database) close() {
	if d != nil {
		d.db.Close()
	}
}

// served is what the server has done so far, for all its databases.
type served struct{ cpu, commits, rows, wal, flushes float64 }

func (s served) minus(o served) served {
	return served{s.cpu - o.cpu, s.commits - o.commits, s.rows - o.rows, s.wal - o.wal, s.flushes - o.flushes}
}

// served counts. Servers count with a delay: of a second while they are busy, and
// of ten once they are not.
func (d *database) served() (s served) {
	if d == nil {
		return s
	}
	s.cpu = float64(d.cpu())
	time.Sleep(1100 * time.Millisecond)
	_ = d.db.Pool().QueryRow(context.Background(), `select (select sum(xact_commit) from pg_stat_database), (select sum(tup_inserted + tup_updated + tup_deleted) from pg_stat_database),
		wal_bytes, wal_sync from pg_stat_wal`).Scan(&s.commits, &s.rows, &s.wal, &s.flushes)
	return s
}

// cpu is what the server's processes have run.
func (d *database) cpu() (total time.Duration) {
	if d.main == 0 {
		return 0
	}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		text, err := os.ReadFile(folder + "/stat")
		if err != nil {
			continue
		}
		after := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(after) < 2 || after[1] != strconv.Itoa(d.main) && filepath.Base(folder) != strconv.Itoa(d.main) {
			continue
		}
		text, _ = os.ReadFile(folder + "/schedstat")
		first, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(first, 10, 64)
		total += time.Duration(n)
	}
	return total
}

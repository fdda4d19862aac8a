package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/gptmesh/gptmesh/pkg/postgres"
)

// newDatabase makes a database beside that of an address, and returns its own.
func newDatabase(address, name string) (string, error) {
	at, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Config{URL: address, MaxConns: 1})
	if err != nil {
		return "", err
	}
	defer db.Close()
	if _, err := db.Pool().Exec(ctx, "create database "+name); err != nil {
		return "", err
	}
	at.Path = "/" + name
	return at.String(), nil
}

func (t copied) inPostgres(address string, n int) error {
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Config{URL: address, Schema: t.room, MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	strs := func(query string) ([]string, error) {
		rows, err := db.Pool().Query(ctx, query, t.room, t.table)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		return texts(rows)
	}
	columns, err := strs("select column_name::text from information_schema.columns where table_schema = $1 and table_name = $2 order by ordinal_position")
	if err != nil || len(columns) == 0 {
		return err
	}
	// But for the one that holds its order, indexes are made again afterwards.
	const others = ` from pg_indexes where schemaname = $1 and tablename = $2 and indexname not like '%pkey' order by indexname`
	names, err := strs("select indexname::text" + others)
	if err != nil {
		return err
	}
	made, err := strs("select indexdef" + others)
	if err != nil {
		return err
	}
	for _, index := range names {
		if _, err := db.Pool().Exec(ctx, "drop index "+index); err != nil {
			return err
		}
	}
	into, values := t.values(columns, "lpad(i::text, 16, '0')", age(n))
	for from := 0; from < n; from += batch {
		many := fmt.Sprintf("generate_series(%d::bigint, %d) as many(i)", from, min(from+batch, n)-1)
		if _, err := db.Pool().Exec(ctx, t.insert(into, values, many)); err != nil {
			return err
		}
	}
	for _, index := range append(made, "vacuum analyze "+t.table) {
		if _, err := db.Pool().Exec(ctx, index); err != nil {
			return err
		}
	}
	return nil
}

// scanned puts a little load on a mesh and says how many rows PostgreSQL read for a
// turn: those that it looked for, and those of tables that it read from end to
// end.
func scanned(p plan, step rung) (string, error) {
	before, err := countReads(p.database)
	if err != nil {
		return "", err
	}
	few := step.load
	few.turns = 200
	r, err := load(context.Background(), few, step.mesh)
	if err != nil {
		return "", err
	}
	time.Sleep(2 * time.Second) // servers count with a delay
	after, err := countReads(p.database)
	if err != nil {
		return "", err
	}
	turns := float64(r.requests.Load())
	return fmt.Sprintf("rows read in a turn: %.1f by index, %.1f by scan", (after.sought-before.sought)/turns, (after.scanned-before.scanned)/turns), nil
}

// reads are the rows that PostgreSQL has read from the rooms' large tables.
type reads struct{ sought, scanned float64 }

func countReads(address string) (r reads, err error) {
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Config{URL: address, MaxConns: 1})
	if err != nil {
		return r, err
	}
	defer db.Close()
	err = db.Pool().QueryRow(ctx, `select coalesce(sum(idx_tup_fetch), 0), coalesce(sum(seq_tup_read), 0) from pg_stat_user_tables
		where relname in ('requests', 'responses', 'response_logs', 'attempts')`).Scan(&r.sought, &r.scanned)
	return r, err
}

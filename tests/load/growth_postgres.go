package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/jackc/pgx/v5"
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

// inPostgres makes n rows of the newest one. A table that was emptied in the same
// transaction needs no log of its own, since the throw-away server has no
// replica: its files are flushed with the commit instead.
func (t copied) inPostgres(address string, n int) error {
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Config{URL: address, Schema: t.room, MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	err = pgx.BeginFunc(ctx, db.Pool(), func(tx pgx.Tx) error {
		strs := func(query string) ([]string, error) {
			rows, err := tx.Query(ctx, query, t.room, t.table)
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
		// Indexes are made again afterwards.
		const others = ` from pg_indexes where schemaname = $1 and tablename = $2 and indexname not like '%pkey' order by indexname`
		names, err := strs("select indexname::text" + others)
		if err != nil {
			return err
		}
		made, err := strs("select indexdef" + others)
		if err != nil {
			return err
		}
		unique, err := strs(`select pg_get_constraintdef(oid) from pg_constraint where contype = 'p' and conrelid = ($1 || '.' || $2)::regclass`)
		if err != nil {
			return err
		}
		list := []string{
			"set local maintenance_work_mem = '512MB'",
			fmt.Sprintf("create temporary table one on commit drop as select * from %s order by %s desc limit 1", t.table, t.key),
			"truncate " + t.table,
			fmt.Sprintf("alter table %s drop constraint %s_pkey", t.table, t.table),
		}
		for _, index := range names {
			list = append(list, "drop index "+index)
		}
		into, values := t.values(columns, "lpad(i::text, 16, '0')", age(n))
		list = append(list, fmt.Sprintf("insert into %s select * from one", t.table),
			fmt.Sprintf("insert into %s (%s) select %s from one, generate_series(0::bigint, %d) as many(i)", t.table, into, values, n-1),
			fmt.Sprintf("alter table %s add constraint %s_pkey %s", t.table, t.table, unique[0]))
		for _, query := range append(list, made...) {
			if _, err := tx.Exec(ctx, query); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = db.Pool().Exec(ctx, "vacuum analyze "+t.table)
	return err
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

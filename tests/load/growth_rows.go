package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/sqlite"
)

// rows fills the tables of requests, answers and attempts, and looks at what a
// turn and a page of each list take then, how long a mesh starts on them, and,
// on PostgreSQL, whether a turn ever reads a table from end to end.
func rows(c *climber) (steps []rung, err error) {
	for n := 10_000; n <= c.rows; n *= 10 {
		p := c.plan
		name := fmt.Sprint("rows", n)
		if p.database != "" {
			if p.database, err = newDatabase(p.database, name); err != nil {
				return nil, err
			}
		}
		if err := c.fill(p, name, n); err != nil {
			return nil, err
		}
		begin := time.Now()
		mesh, err := c.mesh(p, name)
		if err != nil {
			return nil, err
		}
		note := fmt.Sprintf("start: %v, %v of CPU", time.Since(begin).Round(time.Millisecond), mesh.cpu().Round(time.Millisecond))
		pages, err := pages(mesh)
		if err != nil {
			return nil, err
		}
		load := c.turn("a turn beside n rows", 16)
		step := rung{load: load, n: n, mesh: mesh, note: note + "; " + pages}
		if p.database != "" {
			read, err := scanned(p, step)
			if err != nil {
				return nil, err
			}
			step.note += "; " + read
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// pages reads the first page of each list, and says what it took in the median.
func pages(mesh *process) (string, error) {
	var out []string
	for _, list := range []string{"requests", "responses", "attempts"} {
		var times []time.Duration
		for range 21 {
			begin := time.Now()
			if _, err := call(mesh, http.MethodGet, "/mesh/v1/"+list+"?page_size=20", ""); err != nil {
				return "", err
			}
			times = append(times, time.Since(begin))
		}
		slices.Sort(times)
		out = append(out, fmt.Sprintf("%s %v", list, times[len(times)/2].Round(10*time.Microsecond)))
	}
	return "pages: " + strings.Join(out, ", "), nil
}

// copied says how one row of a table becomes n: what is put into its columns,
// where i is the number of the copy and everything else comes from the row.
// Rows are those of a thousand owners, of whom the row's own is one, and of one
// day.
type copied struct {
	room, table, key string
	columns          map[string]string
}

const (
	owners  = 1_000
	oneDay  = 86_400_000_000 // in microseconds
	another = "case when i % 1000 = 7 then owner else owner || (i % 1000) end"
)

// id is an id like the row's own, of the same time but before those to come.
func id(column string) string {
	return "substr(" + column + ", 1, length(" + column + ") - 16) || PAD(i)"
}

var copies = []copied{
	{"request", "requests", "id", map[string]string{"id": id("id"), "owner": another, "create_micros": "create_micros - AGE(i)"}},
	{"response", "responses", "id", map[string]string{
		"id": id("id"), "owner": another, "request_id": id("request_id"), "create_micros": "create_micros - AGE(i)", "finish_micros": "finish_micros - AGE(i)",
	}},
	{"response", "response_logs", "response_id", map[string]string{"response_id": id("response_id")}}, // of PostgreSQL alone
	{"gpt", "attempts", "id", map[string]string{
		"id": id("id"), "owner": another, "request_id": id("request_id"), "response_id": id("response_id"), "reserve_micros": "reserve_micros - AGE(i)",
	}},
}

// fill makes the tables of a mesh that has answered once, and has ended.
func (c *climber) fill(p plan, name string, n int) error {
	mesh, err := spawnMesh(p, p.binary, c.upstream, c.folder+"/"+name)
	if err != nil {
		return err
	}
	once := c.turn("", 1)
	once.turns = 1
	_, err = load(context.Background(), once, mesh)
	// Rows may be behind their answers.
	for range 100 {
		text, callErr := call(mesh, http.MethodGet, "/mesh/v1/responses", "")
		if callErr != nil || strings.Contains(string(text), `"responses":[{`) {
			err = errors.Join(err, callErr)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	mesh.stop()
	if err != nil {
		return err
	}
	for _, t := range copies {
		if p.database != "" {
			err = t.inPostgres(p.database, n)
		} else {
			err = t.inSQLite(filepath.Join(c.folder, name, "0", t.room+".db"), n)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.table, err)
		}
	}
	return nil
}

// values are the copies' columns and what is in them.
func (t copied) values(columns []string, pad, age string) (names, values string) {
	replace := strings.NewReplacer("PAD(i)", pad, "AGE(i)", age)
	list := make([]string, len(columns))
	for i, name := range columns {
		list[i] = replace.Replace(cmp.Or(t.columns[name], name))
	}
	return strings.Join(columns, ", "), strings.Join(list, ", ")
}

// batch is how many copies one statement makes.
const batch = 100_000

// insert copies the newest row, which stays the newest.
func (t copied) insert(names, values, many string) string {
	return fmt.Sprintf("insert into %s (%s) select %s from (select * from %s order by %s desc limit 1) as one, %s", t.table, names, values, t.table, t.key, many)
}

func age(n int) string { return fmt.Sprintf("%d * (%d - i)", max(1, oneDay/n), n) }

func (t copied) inSQLite(file string, n int) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Config{Path: file, Synchronous: sqlite.Off})
	if err != nil {
		return err
	}
	defer db.Close()
	strs := func(query string) ([]string, error) {
		rows, err := db.Query(ctx, query, t.table)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		return texts(rows)
	}
	columns, err := strs("select name from pragma_table_info(?)")
	if err != nil || len(columns) == 0 {
		return err
	}
	indexes, err := strs("select name from sqlite_master where type = 'index' and sql is not null and tbl_name = ?")
	if err != nil {
		return err
	}
	made, err := strs("select sql from sqlite_master where type = 'index' and sql is not null and tbl_name = ?")
	if err != nil {
		return err
	}
	for _, index := range indexes {
		if _, err := db.Exec(ctx, "drop index "+index); err != nil {
			return err
		}
	}
	names, values := t.values(columns, "printf('%016d', i)", age(n))
	for from := 0; from < n; from += batch {
		many := fmt.Sprintf("(with recursive many(i) as (select %d union all select i + 1 from many where i < %d) select i from many)", from, min(from+batch, n)-1)
		if _, err := db.Exec(ctx, t.insert(names, values, many)); err != nil {
			return err
		}
	}
	for _, index := range made {
		if _, err := db.Exec(ctx, index); err != nil {
			return err
		}
	}
	return nil
}

// texts are the rows of one text each of either database's driver.
func texts(rows interface {
	Next() bool
	Scan(...any) error
	Err() error
}) (list []string, err error) {
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNestedReadsOfOneText(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	var got []string
	err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		for i := range 2 {
			if err := insert(i, fmt.Sprint(i))(ctx, tx); err != nil {
				return err
			}
		}
		const query = "select name from rows order by id"
		outer, err := tx.Query(ctx, query)
		if err != nil {
			return err
		}
		for outer.Next() {
			inner, err := tx.Query(ctx, query)
			if err != nil {
				return err
			}
			for inner.Next() {
				var a, b string
				if err := errors.Join(outer.Scan(&a), inner.Scan(&b)); err != nil {
					return err
				}
				got = append(got, a+b)
			}
			if err := inner.Err(); err != nil {
				return err
			}
		}
		return outer.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"00", "01", "10", "11"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRowsLeftOpenAndTxKept(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	for i := range 3 {
		if err := db.Write(t.Context(), insert(i, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	const query = "select id from rows order by id"
	var kept *Tx
	var left *Rows
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) (err error) {
		kept = tx
		tx.QueryRow(ctx, "select 1") // never scanned
		left, err = tx.Query(ctx, query)
		left.Next()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if left.Next() {
		t.Error("rows outlived their transaction")
	}
	if _, err := kept.Exec(t.Context(), "delete from rows"); err == nil {
		t.Error("a transaction outlived its function")
	}
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		var id int
		if err := tx.QueryRow(ctx, query).Scan(&id); err != nil || id != 0 {
			t.Errorf("id %d, %v", id, err)
		}
		if _, err := kept.Exec(ctx, "delete from rows"); err == nil {
			t.Error("a kept transaction wrote into another")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestQueryRow(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		for i := range 3 {
			var id int
			if err := tx.QueryRow(ctx, "insert into rows (id, name) values (?, ?) returning id", i, fmt.Sprint(i)).Scan(&id); err != nil || id != i {
				t.Errorf("id %d, %v", id, err)
			}
		}
		var id int
		if err := tx.QueryRow(ctx, "select id from rows where id = 99").Scan(&id); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("no row: %v", err)
		}
		if err := tx.QueryRow(ctx, "select nonsense from rows").Scan(&id); err == nil {
			t.Error("bad SQL: no error")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var id int
	if err := db.QueryRow(t.Context(), "select nonsense from rows").Scan(&id); err == nil {
		t.Error("bad SQL: no error")
	}
	rows, err := db.Query(t.Context(), "select id from rows order by id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []int
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	if diff := cmp.Diff([]int{0, 1, 2}, got); diff != "" || rows.Err() != nil {
		t.Error(diff, rows.Err())
	}
}

func TestStatementCacheIsBounded(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		for i := range 3 * maxStatements {
			var n int
			if err := tx.QueryRow(ctx, fmt.Sprintf("select %d", i)).Scan(&n); err != nil || n != i {
				return fmt.Errorf("got %d: %w", n, err)
			}
			if err := db.QueryRow(ctx, fmt.Sprintf("select %d", i)).Scan(&n); err != nil || n != i {
				return fmt.Errorf("got %d: %w", n, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(db.writer.conn.stmts); n > maxStatements {
		t.Errorf("%d statements kept by the writer", n)
	}
	if n := len(db.cached.stmts); n > maxStatements {
		t.Errorf("%d statements kept by the readers", n)
	}
}

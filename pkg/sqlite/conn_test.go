package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type kind int32

// TestValuesThereAndBack binds values in a transaction and scans them again, from
// the writer and from a reader, who go different ways.
func TestValuesThereAndBack(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	big := bytes.Repeat([]byte{0, 1, 2, 255}, 1<<19) // more than is kept for the next statement
	type row struct {
		Text    string
		Blob    []byte
		Whole   int64
		Kind    kind
		Small   uint8
		Real    float64
		Yes, No bool
		Null    []byte
		Maybe   *string
		Null2   sql.NullString
		Set     sql.NullString
		When    time.Duration
		Any     any
		Number  string // of an integer
	}
	some := "some"
	want := row{
		Text: "a\x00b, ü and \xff", Blob: big, Whole: -1 << 62, Kind: 7, Small: 200, Real: 0.1, Yes: true,
		Maybe: &some, Set: sql.NullString{String: "", Valid: true}, When: time.Hour, Any: int64(3), Number: "42",
	}
	args := []any{
		want.Text, want.Blob, want.Whole, want.Kind, want.Small, want.Real, want.Yes, want.No, nil, some, nil, "", want.When, 3, 42,
	}
	dest := func(r *row) []any {
		return []any{
			&r.Text, &r.Blob, &r.Whole, &r.Kind, &r.Small, &r.Real, &r.Yes, &r.No, &r.Null, &r.Maybe, &r.Null2, &r.Set, &r.When, &r.Any, &r.Number,
		}
	}
	query := "select ?" + strings.Repeat(", ?", len(args)-1)
	same := cmp.Comparer(bytes.Equal)
	for range 2 { // with a fresh statement and a used one
		var got row
		if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			return tx.QueryRow(ctx, query, args...).Scan(dest(&got)...)
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Error(diff)
		}
		var read row
		if err := db.QueryRow(t.Context(), query, args...).Scan(dest(&read)...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, read, same); diff != "" {
			t.Errorf("a reader: %s", diff)
		}
	}
}

// TestKindsOfEmpty tells apart what has no bytes.
func TestKindsOfEmpty(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		for _, c := range []struct {
			value any
			want  string
		}{{"", "text"}, {[]byte{}, "blob"}, {[]byte(nil), "null"}, {nil, "null"}, {0, "integer"}, {0.0, "real"}, {false, "integer"}} {
			var got string
			if err := tx.QueryRow(ctx, "select typeof(?)", c.value).Scan(&got); err != nil || got != c.want {
				t.Errorf("%#v is %q, %v", c.value, got, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		for query, dest := range map[string]any{
			"select null":     new(string),
			"select 300":      new(uint8),
			"select -1":       new(uint),
			"select 'x'":      new(int),
			"select 'y'":      new(float64),
			"select 'z'":      new(bool),
			"select 1":        new(struct{}),
			"select 2":        kind(0),
			"select 5000 * 1": new(int8),
		} {
			if err := tx.QueryRow(ctx, query).Scan(dest); err == nil {
				t.Errorf("%s went into a %T", query, dest)
			}
		}
		if err := tx.QueryRow(ctx, "select 1, 2").Scan(new(int)); err == nil {
			t.Error("two columns went into one")
		}
		if _, err := tx.Exec(ctx, "insert into rows (id, name) values (?, ?)", 1); err == nil {
			t.Error("an argument was missing, and nobody said so")
		}
		rows, err := tx.Query(ctx, "select 1")
		if err != nil {
			return err
		}
		if err := rows.Scan(new(int)); err == nil {
			t.Error("there was a row before Next")
		}
		for rows.Next() {
		}
		if err := rows.Scan(new(int)); err == nil {
			t.Error("there was a row behind the last")
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
}

// TestQueryDoesItsWorkAtOnce holds for a statement whose rows nobody reads.
func TestQueryDoesItsWorkAtOnce(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		rows, err := tx.Query(ctx, "insert into rows (id, name) values (1, 'a') returning id")
		if err != nil {
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
		_, err = tx.Query(ctx, "insert into rows (id, name) values (1, 'b') returning id")
		if !IsUniqueViolation(err) {
			t.Errorf("the same key again: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows", n)
	}
}

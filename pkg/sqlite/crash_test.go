package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/journal"
)

const (
	childPath   = "GPTMESH_SQLITE_TEST_CHILD"
	childBehind = "GPTMESH_SQLITE_TEST_BEHIND" // flushes come behind what was acknowledged
)

// child writes rows from many goroutines until it is killed and prints each
// id after it was acknowledged.
func child(path string) int {
	j, err := journal.Open(journal.Config{Dir: filepath.Join(filepath.Dir(path), "journal"), Segment: 64 << 10, Behind: os.Getenv(childBehind) != ""})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	db, err := Open(context.Background(), Config{Path: path, Journal: j, Name: "rows"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer db.Close()
	var next atomic.Int64
	var out sync.Mutex
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				id := int(next.Add(1))
				if err := write(db, id); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				out.Lock()
				_, err := fmt.Println(id)
				out.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return 1
}

// write writes a row in one of six ways.
func write(db *DB, id int) error {
	ctx, name := context.Background(), strconv.Itoa(id)
	begin := Stmt{Query: "insert into rows (id, name) values (?, ?)", Args: []any{id, name}}
	if id%4 == 0 {
		return db.Write(ctx, insert(id, name))
	}
	if id%8 == 7 {
		l, err := db.Later(ctx, Stmt{
			Query: "insert into rows (id, name, body) values (?, ?, ?)", Args: []any{id, name, []byte(name)},
			Key: name, Join: func(args [][]any) [][]any { return args },
		})
		return errors.Join(err, l.Wait(ctx))
	}
	l, err := db.Later(ctx, begin)
	if id%8 == 5 && err == nil {
		return l.Written(ctx)
	}
	if err != nil || id%4 == 1 {
		return errors.Join(err, l.Wait(ctx))
	}
	if id%4 == 2 {
		if err := l.Wait(ctx); err != nil {
			return err
		}
	}
	whole := Stmt{Query: "insert into rows (id, name, body) values (?, ?, ?)", Args: []any{id, name, []byte(name)}}
	second, ok, err := db.Instead(ctx, l, whole)
	if err == nil && !ok {
		second, err = db.Later(ctx, Stmt{Query: "update rows set body = ? where id = ?", Args: []any{[]byte(name), id}})
	}
	return errors.Join(err, second.Wait(ctx))
}

func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "crash.db")
	db, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for _, env := range []string{"", childBehind + "=1", "", childBehind + "=1"} {
		acknowledged = killWhileWriting(t, path, 1+rand.IntN(4000), env)
		j := openJournal(t, filepath.Dir(path))
		db, err := Open(t.Context(), Config{Path: path, Journal: j, Name: "rows"})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range acknowledged {
			var body []byte
			if err := db.QueryRow(t.Context(), "select body from rows where id = ?", id).Scan(&body); err != nil {
				t.Errorf("acknowledged id %s: %v", id, err)
			}
			if n, _ := strconv.Atoi(id); n%4 >= 2 && string(body) != id {
				t.Errorf("acknowledged id %s has the body %q", id, body)
			}
		}
		if db.Lost() > 0 {
			t.Error("rows were given twice")
		}
		var check string
		if err := db.Read().QueryRow("pragma integrity_check").Scan(&check); err != nil || check != "ok" {
			t.Errorf("integrity %q, %v", check, err)
		}
		if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, "delete from rows")
			return err
		}); err != nil {
			t.Error(err)
		}
		if err := errors.Join(db.Close(), j.Close()); err != nil {
			t.Error(err)
		}
	}
}

// killWhileWriting kills a writing process after it acknowledged about n
// writes and returns all ids that it acknowledged.
func killWhileWriting(t *testing.T, path string, n int, env string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path, env)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line cut short was not acknowledged
		}
		ids = append(ids, strings.TrimSpace(line))
		if len(ids) == n {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if len(ids) < n {
		t.Fatalf("the writer ended by itself after %d writes", len(ids))
	}
	return ids
}

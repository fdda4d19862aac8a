package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const childStarts = "GPTMESH_PGTEST_CHILD"

// TestMain is also a process that starts a cluster, prints its URL and is
// killed.
func TestMain(m *testing.M) {
	if os.Getenv(childStarts) != "" {
		c, err := Start(context.Background())
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(c.URL())
		select {}
	}
	os.Exit(Main(m))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestDatabasesAreApartAndDropped(t *testing.T) {
	t.Parallel()
	var names [2]string
	t.Run("use", func(t *testing.T) {
		for i := range names {
			conn := connect(t, DB(t))
			if _, err := conn.Exec(t.Context(), "create table only_here (id int)"); err != nil {
				t.Fatal(err)
			}
			if err := conn.QueryRow(t.Context(), "select current_database()").Scan(&names[i]); err != nil {
				t.Fatal(err)
			}
		}
	})
	if names[0] == names[1] {
		t.Errorf("both are %s", names[0])
	}
	conn := connect(t, DB(t))
	var left int
	if err := conn.QueryRow(t.Context(), "select count(*) from pg_database where datname = any($1)", names[:]).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d databases left, %v", left, err)
	}
}

func TestStopRemovesEverything(t *testing.T) {
	t.Parallel()
	c, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Stop()
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("folder left: %v", err)
	}
	if conn, err := pgx.Connect(t.Context(), c.URL()); err == nil {
		conn.Close(t.Context())
		t.Error("the server still answers")
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := Start(ctx); err == nil {
		c.Stop()
		t.Error("no error")
	}
}

// TestServerEndsWithItsProcess kills a process that started a cluster: the
// server goes with it and the next sweep removes its files.
func TestServerEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childStarts+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url := strings.TrimSpace(line)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil || !strings.HasPrefix(url, "postgres://") {
		t.Fatalf("the child said %q, %v", line, err)
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	dir := cfg.Host
	deadline, tick := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			break
		}
		conn.Close(t.Context())
		select {
		case <-deadline:
			t.Fatal("the server outlived its process")
		case <-tick.C:
		}
	}
	old := time.Now().Add(-2 * sweepAge)
	if err := os.Chtimes(filepath.Join(dir, "LOCK"), old, old); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("files left: %v", err)
	}
}

// TestNoServerIsSaid holds the error that makes tests fail instead of being
// skipped.
func TestNoServerIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := binaries(nil)
	if !errors.Is(err, ErrNoServer) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), EnvURL) {
		t.Errorf("got %v", err)
	}
}

func TestNewestServerIsFound(t *testing.T) {
	root := t.TempDir()
	t.Setenv("PATH", t.TempDir())
	for _, version := range []string{"9", "15", "16"} {
		bin := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		names := []string{"initdb", "postgres"}
		if version == "16" {
			names = names[:1] // not a whole server
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(bin, name), nil, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := binaries([]string{filepath.Join(root, "*", "bin")})
	if want := filepath.Join(root, "15", "bin"); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"postgres://u:p%40@h:5433/old?sslmode=require":     "postgres://u:p%40@h:5433/new?sslmode=require",
		"postgres://u@/old?dbname=other&host=%2Ftmp%2Fdir": "postgres://u@/new?host=%2Ftmp%2Fdir",
		"host=/tmp/dir user=u dbname=old":                  "host=/tmp/dir user=u dbname=old dbname=new",
	} {
		got, err := withDatabase(base, "new")
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v", base, got, err)
		}
		cfg, err := pgx.ParseConfig(got)
		if err != nil || cfg.Database != "new" {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestVersionOfFolder(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]int{
		"/usr/lib/postgresql/15/bin":          15,
		"/usr/lib/postgresql/9.6/bin":         9,
		"/usr/pgsql-17/bin":                   17,
		"/opt/homebrew/opt/postgresql@16/bin": 16,
		"/opt/homebrew/opt/postgresql/bin":    0,
	} {
		if got := version(folder); got != want {
			t.Errorf("%s: got %d, want %d", folder, got, want)
		}
	}
}

func BenchmarkDB(b *testing.B) {
	DB(b) // the first starts the server
	for b.Loop() {
		DB(b)
	}
}

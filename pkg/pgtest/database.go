package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvURL names the environment variable with the URL, or keyword string, of a
// server to use instead of starting one. Its user must be allowed to create
// databases.
const EnvURL = "GPTMESH_TEST_DATABASE_URL"

// Times within which the server starts, and makes or drops a database, on a
// machine that is busy with other tests.
const (
	startTimeout    = 2 * time.Minute
	databaseTimeout = time.Minute
)

// shared is the cluster of this test binary. It is state of the process
// because its tests have nothing else in common; Main ends it.
var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
}

// sharedURL returns the server's URL and starts the server when it is the
// first to ask.
func sharedURL() (string, error) {
	if base := os.Getenv(EnvURL); base != "" {
		return base, nil
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.cluster, shared.err = Start(ctx)
	}
	if shared.err != nil {
		return "", shared.err
	}
	return shared.cluster.URL(), nil
}

// DB returns the URL of a fresh, empty database that is dropped, with whatever
// connections are left, when the test ends. Where no server is to be had the
// test fails.
func DB(t testing.TB) string {
	t.Helper()
	base, err := sharedURL()
	if err != nil {
		t.Fatal(err)
	}
	name := databaseName()
	if err := create(base, name); err != nil {
		t.Fatalf("pgtest: create database: %v", err)
	}
	t.Cleanup(func() {
		if err := admin(base, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "drop database if exists "+name+" with (force)")
			return err
		}); err != nil {
			t.Errorf("pgtest: drop database: %v", err)
		}
	})
	named, err := withDatabase(base, name)
	if err != nil {
		t.Fatal(err)
	}
	return named
}

// create makes a database. Copying files is three times as fast as writing
// them through the log, unless the server has to flush them.
func create(base, name string) error {
	return admin(base, func(ctx context.Context, conn *pgx.Conn) error {
		var copyFiles bool
		err := conn.QueryRow(ctx, "select current_setting('fsync') = 'off' and current_setting('server_version_num')::int >= 150000").Scan(&copyFiles)
		if err != nil {
			return err
		}
		query := "create database " + name + " template template0"
		if copyFiles {
			query += " strategy file_copy"
		}
		_, err = conn.Exec(ctx, query)
		return err
	})
}

// admin runs fn on a connection of its own, apart from the test's context,
// which is over when the test cleans up.
func admin(base string, fn func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return fn(ctx, conn)
}

// withDatabase returns base with another database's name.
func withDatabase(base, name string) (string, error) {
	if !strings.Contains(base, "://") {
		return base + " dbname=" + name, nil // of two, the last one counts
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("pgtest: %s is not a URL", EnvURL)
	}
	u.Path = "/" + name
	query := u.Query()
	query.Del("dbname")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

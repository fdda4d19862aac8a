package embedded

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/eventstest"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m))
}

// Nobody dies: however long this process stands still, no group is taken over.
var fast = Config{gather: time.Millisecond, poll: 10 * time.Millisecond, lease: time.Hour}

func TestSQLite(t *testing.T) {
	t.Parallel()
	eventstest.Run(t, func(t *testing.T) eventstest.Harness {
		db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "events.db"), Synchronous: sqlite.Off})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		lite, _ := Migrations()
		if _, err := db.Migrate(t.Context(), lite); err != nil {
			t.Fatal(err)
		}
		var b *Broker // a database has one process, and that one broker
		return eventstest.Harness{Open: func(t *testing.T) events.Broker {
			if b == nil || b.life.Over() {
				b = start(t, Deps{SQLite: db})
			}
			return b
		}}
	})
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	eventstest.Run(t, func(t *testing.T) eventstest.Harness {
		db := openPostgres(t, pgtest.DB(t), "events")
		_, pg := Migrations()
		if _, err := db.Migrate(t.Context(), pg); err != nil {
			t.Fatal(err)
		}
		return eventstest.Harness{Open: func(t *testing.T) events.Broker { return start(t, Deps{Postgres: db}) }}
	})
}

func openPostgres(t *testing.T, url, schema string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: schema, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func start(t *testing.T, deps Deps) *Broker {
	t.Helper()
	b, err := New(fast, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

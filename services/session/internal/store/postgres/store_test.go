package postgres_test

import (
	"os"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	sessionpostgres "github.com/gptmesh/gptmesh/services/session/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/session/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestStore(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*postgres.DB) *sessionpostgres.Store{
		"as the program does": sessionpostgres.New, "every id taken for new": sessionpostgres.Trusting,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t testing.TB) (store.Store, func() store.Store) {
				url := pgtest.DB(t)
				var db *postgres.DB
				open := func() store.Store {
					db = openDB(t, url, nil)
					return make(db)
				}
				first := open()
				t.Cleanup(func() { db.Close() })
				return first, func() store.Store { db.Close(); return open() }
			})
		})
	}
}

func openDB(t testing.TB, url string, writer *postgres.Writer) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: "session", Writer: writer})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context(), sessionpostgres.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}

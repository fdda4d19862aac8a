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
	storetest.Run(t, func(t testing.TB) (store.Store, func() store.Store) {
		url := pgtest.DB(t)
		var db *postgres.DB
		open := func() store.Store {
			var err error
			if db, err = postgres.Open(t.Context(), postgres.Config{URL: url, Schema: "session"}); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Migrate(t.Context(), sessionpostgres.Migrations()); err != nil {
				t.Fatal(err)
			}
			return sessionpostgres.New(db)
		}
		first := open()
		t.Cleanup(func() { db.Close() })
		return first, func() store.Store { db.Close(); return open() }
	})
}

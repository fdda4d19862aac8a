package postgres_test

import (
	"os"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	classifierpostgres "github.com/gptmesh/gptmesh/services/classifier/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) (*store.Store, func() *store.Store) {
		url := pgtest.DB(t)
		var db *postgres.DB
		open := func() *store.Store {
			var err error
			if db, err = postgres.Open(t.Context(), postgres.Config{URL: url, Schema: "classifier"}); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Migrate(t.Context(), classifierpostgres.Migrations()); err != nil {
				t.Fatal(err)
			}
			return classifierpostgres.New(db)
		}
		first := open()
		t.Cleanup(func() { db.Close() })
		return first, func() *store.Store { db.Close(); return open() }
	})
}

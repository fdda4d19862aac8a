package postgres_test

import (
	"os"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	db "github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/request/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/request/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t) })
}

func TestRouting(t *testing.T) {
	t.Parallel()
	storetest.RunRouting(t, func(t *testing.T) storetest.Routed { return open(t) })
}

func open(t *testing.T) *postgres.Store {
	database, err := db.Open(t.Context(), db.Config{URL: pgtest.DB(t), Schema: "request"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(database.Close)
	if _, err := database.Migrate(t.Context(), postgres.Migrations); err != nil {
		t.Fatal(err)
	}
	return postgres.New(database)
}

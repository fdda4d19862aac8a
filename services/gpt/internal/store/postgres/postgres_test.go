package postgres_test

import (
	"os"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	kit "github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Rig {
		db, err := kit.Open(t.Context(), kit.Config{URL: pgtest.DB(t), Schema: "gpt"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		if _, err := db.Migrate(t.Context(), postgres.Migrations()); err != nil {
			t.Fatal(err)
		}
		return storetest.Rig{Store: postgres.New(db), Shared: true}
	})
}

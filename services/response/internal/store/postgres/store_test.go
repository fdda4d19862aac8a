package postgres_test

import (
	"os"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	db "github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/gptmesh/gptmesh/services/response/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/response/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { s, _ := open(t); return s })
}

func TestTold(t *testing.T) {
	t.Parallel()
	s, told := open(t)
	storetest.Told(t, s, told)
}

func open(t *testing.T) (s *postgres.Store, told func() string) {
	t.Helper()
	database, err := db.Open(t.Context(), db.Config{URL: pgtest.DB(t), Schema: "response"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(database.Close)
	if _, err := database.Migrate(t.Context(), postgres.Migrations); err != nil {
		t.Fatal(err)
	}
	return postgres.New(database), func() (text string) {
		t.Helper()
		if err := database.Pool().QueryRow(t.Context(), "select coalesce(string_agg(convert_from(record, 'UTF8'), '' order by id), '') from outbox").Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
}

package sqlite_test

import (
	"path/filepath"
	"testing"

	db "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/request/internal/store/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t) })
}

func TestRouting(t *testing.T) {
	t.Parallel()
	storetest.RunRouting(t, func(t *testing.T) storetest.Routed { return open(t) })
}

func open(t *testing.T) *sqlite.Store {
	database, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "request.db"), Synchronous: db.Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := database.Migrate(t.Context(), sqlite.Migrations); err != nil {
		t.Fatal(err)
	}
	return sqlite.New(database)
}

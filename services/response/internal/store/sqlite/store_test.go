package sqlite_test

import (
	"path/filepath"
	"testing"

	db "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/gptmesh/gptmesh/services/response/internal/store/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		database, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "response.db"), Synchronous: db.Off})
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
		return sqlite.New(database, nil)
	})
}

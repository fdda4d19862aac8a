package sqlite_test

import (
	"path/filepath"
	"testing"

	kit "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Rig {
		db, err := kit.Open(t.Context(), kit.Config{Path: filepath.Join(t.TempDir(), "gpt.db"), Synchronous: kit.Off})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if _, err := db.Migrate(t.Context(), sqlite.Migrations()); err != nil {
			t.Fatal(err)
		}
		return storetest.Rig{Store: sqlite.New(db)}
	})
}

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	classifiersqlite "github.com/gptmesh/gptmesh/services/classifier/internal/store/sqlite"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) (*store.Store, func() *store.Store) {
		path := filepath.Join(t.TempDir(), "classifier.db")
		var db *sqlite.DB
		open := func() *store.Store {
			var err error
			if db, err = sqlite.Open(t.Context(), sqlite.Config{Path: path, Synchronous: sqlite.Off}); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Migrate(t.Context(), classifiersqlite.Migrations()); err != nil {
				t.Fatal(err)
			}
			return classifiersqlite.New(db)
		}
		closeDB := func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
		first := open()
		t.Cleanup(func() { closeDB() })
		return first, func() *store.Store { closeDB(); return open() }
	})
}

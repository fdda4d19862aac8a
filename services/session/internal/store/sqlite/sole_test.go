package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/journal"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	sessionsqlite "github.com/gptmesh/gptmesh/services/session/internal/store/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store/storetest"
)

// sole is a store that writes later, over files of a test.
type sole struct {
	*sessionsqlite.Sole
	dir     string
	db      *sqlite.DB
	journal *journal.Journal
}

func openSole(t testing.TB, dir string) *sole {
	t.Helper()
	return openWith(t, dir, journal.Config{Segment: 64 << 10}, sqlite.DefaultBusyTimeout)
}

// openQuick is openSole without the flushes.
func openQuick(t testing.TB, dir string) *sole {
	t.Helper()
	return openWith(t, dir, journal.Config{Segment: 64 << 10, NoSync: true}, sqlite.DefaultBusyTimeout)
}

func openWith(t testing.TB, dir string, cfg journal.Config, busy time.Duration) *sole {
	t.Helper()
	s := &sole{dir: dir}
	var err error
	cfg.Dir = filepath.Join(dir, "journal")
	if s.journal, err = journal.Open(cfg); err != nil {
		t.Fatal(err)
	}
	s.db, err = sqlite.Open(t.Context(), sqlite.Config{
		Path: filepath.Join(dir, "session.db"), Synchronous: sqlite.Off, Journal: s.journal, Name: "session", Alone: true, BusyTimeout: busy,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Migrate(t.Context(), sessionsqlite.Migrations()); err != nil {
		t.Fatal(err)
	}
	s.Sole = sessionsqlite.NewSole(s.db)
	return s
}

func (s *sole) close(t testing.TB) {
	t.Helper()
	if err := s.db.Close(); err != nil {
		t.Error(err)
	}
	if err := s.journal.Close(); err != nil {
		t.Error(err)
	}
}

func TestSole(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) (store.Store, func() store.Store) {
		s := openSole(t, t.TempDir())
		t.Cleanup(func() { s.close(t) })
		return s, func() store.Store {
			s.close(t)
			s = openSole(t, s.dir)
			return s
		}
	})
}

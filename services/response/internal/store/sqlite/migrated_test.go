package sqlite

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gptmesh/gptmesh/pkg/journal"
	kit "github.com/gptmesh/gptmesh/pkg/sqlite"
)

// Intents of before they had a table come over, those that the journal alone has too.
func TestIntentsComeOver(t *testing.T) {
	t.Parallel()
	old := fstest.MapFS{}
	names, err := fs.Glob(Migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(Migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(name) < "00011" {
			old[name] = &fstest.MapFile{Data: data}
		}
	}
	dir := t.TempDir()
	open := func(dir string, schema fs.FS) (*kit.DB, *journal.Journal) {
		j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		db, err := kit.Open(t.Context(), kit.Config{Path: filepath.Join(dir, "rows.db"), Synchronous: kit.Off, Journal: j, Name: "response"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Migrate(t.Context(), schema); err != nil {
			t.Fatal(err)
		}
		return db, j
	}
	end := func(db *kit.DB, j *journal.Journal) {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	db, j := open(dir, old)
	for i, id := range []string{"stored", "done", "journaled"} {
		later, err := db.Later(t.Context(), kit.Stmt{
			Query: `insert into responses (id, owner, request_id, session_id, state, instance, create_micros, finish_micros, head, session_intent)
				values (?, 'me', '', 's', 2, '', 1, ?, x'', ?)`,
			Args: []any{id, i + 1, []byte(id)},
		})
		if err == nil && id == "done" {
			later, err = db.Later(t.Context(), kit.Stmt{Query: `update responses set session_intent = null where id = ?`, Args: []any{id}})
		}
		if err == nil {
			err = later.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if id == "done" { // these are in the table, and the last one is not
			rows, err := db.Query(t.Context(), "select 1")
			if err != nil {
				t.Fatal(err)
			}
			_ = rows.Close()
		}
	}
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	end(db, j)

	for range 2 { // as it comes over, and as it is then
		db, j = open(crashed, Migrations)
		s := New(db, nil)
		list, err := s.Pending(t.Context(), time.Now(), 10)
		if err != nil || len(list) != 2 || list[0].ResponseID != "stored" || list[1].ResponseID != "journaled" || string(list[1].Request) != "journaled" || list[1].Owner != "me" {
			t.Errorf("%+v, %v", list, err)
		}
		end(db, j)
	}
}

package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	db "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// TestNothingIsScanned: what a turn runs, and the pages of lists, find their rows
// by an index, however many there are.
func TestNothingIsScanned(t *testing.T) {
	t.Parallel()
	database, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "session.db"), Synchronous: db.Off})
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	if _, err := database.Migrate(t.Context(), Migrations()); err != nil {
		t.Fatal(err)
	}
	plans := map[string]string{
		"session by id": sessionByID, "session by key": sessionByKey, "touch": touch, "update": updateSession, "due": due,
		"messages by id": messagesByID, "message at": messageAt, "changes": changesAfter, "versions": versionsOf,
	}
	plans["sessions"], _ = listSessions(store.SessionQuery{Owner: "me", Limit: 9})
	plans["sessions of a user"], _ = listSessions(store.SessionQuery{Owner: "me", UserID: "u", Limit: 9})
	plans["sessions, next page"], _ = listSessions(store.SessionQuery{Owner: "me", Before: store.Place{LastActiveTime: time.Unix(1, 0), Key: 7}, Limit: 9})
	plans["newest messages"], _ = listMessages(store.MessageQuery{Key: 1, Before: 100, NotSystem: true, NewestFirst: true, Limit: 9})
	plans["system messages"], _ = listMessages(store.MessageQuery{Key: 1, Before: 100, System: true, Limit: 9})
	plans["messages"], _ = listMessages(store.MessageQuery{Key: 1, After: 5, Limit: 9})
	for name, text := range plans {
		args := make([]any, strings.Count(text, "?"))
		rows, err := database.Select(t.Context(), "explain query plan "+text, args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for rows.Next() {
			var id, parent, unused int
			var plan string
			if err := rows.Scan(&id, &parent, &unused, &plan); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(plan, "SCAN") && !strings.Contains(plan, "json_each") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, plan)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

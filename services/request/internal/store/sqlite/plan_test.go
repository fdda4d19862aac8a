package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	db "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/request/internal/store/sqlite"
)

// TestListsUseTheirIndexes: a partial index is taken only where the condition
// implies its own.
func TestListsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	database, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "request.db"), Synchronous: db.Off})
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	if _, err := database.Migrate(t.Context(), sqlite.Migrations); err != nil {
		t.Fatal(err)
	}
	for index, filter := range map[string]store.Filter{
		"requests_by_owner":   {Owner: "me", After: time.Unix(1, 0)},
		"requests_by_user":    {Owner: "me", UserID: "u"},
		"requests_by_session": {Owner: "me", SessionID: "s"},
	} {
		where, args := filter.Where(func(int) string { return "?" })
		var id, parent, unused int
		var plan string
		row := database.QueryRow(t.Context(), "explain query plan select id from requests where "+where+" order by create_micros desc, id desc limit 9", args...)
		if err := row.Scan(&id, &parent, &unused, &plan); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, index+" ") || !strings.HasPrefix(plan, "SEARCH") {
			t.Errorf("%s: want a search of %s", plan, index)
		}
	}
}

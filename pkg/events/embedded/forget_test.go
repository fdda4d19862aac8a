package embedded

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
)

// Dead letters and the places of consumers that do not come by go after a time;
// those of who is there stay.
func TestOldLettersAndPlacesAreForgotten(t *testing.T) {
	t.Parallel()
	lite, pg := Migrations()
	for name, deps := range map[string]func(*testing.T) Deps{
		"sqlite": func(t *testing.T) Deps {
			db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "events.db"), Synchronous: sqlite.Off})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if _, err := db.Migrate(t.Context(), lite); err != nil {
				t.Fatal(err)
			}
			return Deps{SQLite: db}
		},
		"postgres": func(t *testing.T) Deps {
			db := openPostgres(t, pgtest.DB(t), "events")
			if _, err := db.Migrate(t.Context(), pg); err != nil {
				t.Fatal(err)
			}
			return Deps{Postgres: db}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, ctx := start(t, deps(t)), t.Context()
			ok := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.park(ctx, "group", &events.Event{Id: "e", Owner: "me"}, errors.New("no"), 1)
			ok(err)
			ok(b.putConsumer(ctx, "me", "away", places{}))
			held, err := b.hold(ctx, "group", "holder", places{})
			if err != nil || held == nil {
				t.Fatal(held, err)
			}
			left := func() (letters, consumers, groups int) {
				t.Helper()
				list, err := b.DeadLetters(ctx, "group", "", 10)
				ok(err)
				own, err := b.Consumers(ctx, "me")
				ok(err)
				of, err := b.Consumers(ctx, groupOwner)
				ok(err)
				return len(list), len(own), len(of)
			}
			check := func(now time.Time, letters, consumers, groups int) {
				t.Helper()
				ok(b.trim(ctx, now))
				if l, c, g := left(); l != letters || c != consumers || g != groups {
					t.Fatalf("%d letters, %d consumers and %d groups are left, want %d, %d, %d", l, c, g, letters, consumers, groups)
				}
			}
			now := time.Now()
			check(now.Add(DefaultForgetAfter-time.Hour), 1, 1, 1)
			_, err = b.db.exec(ctx, `update consumers set held_until = ? where owner = ?`, now.Add(2*DefaultForgetAfter).UnixMicro(), groupOwner)
			ok(err)
			check(now.Add(DefaultForgetAfter+time.Hour), 0, 0, 1)
			check(now.Add(3*DefaultForgetAfter), 0, 0, 0)
		})
	}
}

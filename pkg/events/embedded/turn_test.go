package embedded

import (
	"testing"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/eventstest"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

// TestTurnOfADeadProcess: a group's turn stays with who has it until the lease is over;
// then another goes on from the place that was kept, and who had it notices.
func TestTurnOfADeadProcess(t *testing.T) {
	t.Parallel()
	db := openPostgres(t, pgtest.DB(t), "events")
	_, pg := Migrations()
	if _, err := db.Migrate(t.Context(), pg); err != nil {
		t.Fatal(err)
	}
	one, two := start(t, Deps{Postgres: db}), start(t, Deps{Postgres: db})
	if _, err := one.Publish(t.Context(), []*events.Event{eventstest.Event("session.updated", "a", 1), eventstest.Event("session.updated", "a", 2)}); err != nil {
		t.Fatal(err)
	}
	begin, err := one.place(t.Context(), events.Start{Earliest: true})
	if err != nil {
		t.Fatal(err)
	}
	if at, err := one.hold(t.Context(), "readers", "first", begin); at == nil || err != nil {
		t.Fatal(at, err)
	}
	kept, err := one.place(t.Context(), events.Start{})
	if err != nil {
		t.Fatal(err)
	}
	if err := one.keepPlace(t.Context(), "readers", "first", kept); err != nil {
		t.Fatal(err)
	}
	if at, err := two.hold(t.Context(), "readers", "second", begin); at != nil || err != nil {
		t.Fatal("a turn was taken from the living:", at, err)
	}
	if _, err := one.db.exec(t.Context(), `update consumers set held_until = 1 where name = ?`, "readers"); err != nil {
		t.Fatal(err)
	}
	at, err := two.hold(t.Context(), "readers", "second", begin)
	if err != nil || at.cursor() != kept.cursor() {
		t.Errorf("it goes on from %v, want %v; %v", at, kept, err)
	}
	if held, err := one.extend(t.Context(), "readers", "first"); held || err != nil {
		t.Errorf("who lost the turn still has it: %t, %v", held, err)
	}
}

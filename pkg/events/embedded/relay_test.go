package embedded

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/eventstest"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// picky is a server that will never take some events, and is away at times.
type picky struct {
	events.Broker
	mu    sync.Mutex
	away  int // how often yet
	never map[string]bool
	taken []string
}

func (p *picky) Publish(_ context.Context, list []*events.Event) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away > 0 {
		p.away--
		return 0, errors.New("away")
	}
	for i, e := range list {
		if p.never[e.GetId()] {
			return i, events.Reject(errors.New("too large"))
		}
		p.taken = append(p.taken, e.GetId())
	}
	return len(list), nil
}

func (p *picky) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.taken)
}

// TestRelayGoesOn: what a server will never take becomes a dead letter with its
// reason, and what comes after it is handed on.
func TestRelayGoesOn(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "events.db"), Synchronous: sqlite.Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	lite, _ := Migrations()
	if _, err := db.Migrate(t.Context(), lite); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	metrics, err := events.NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, Deps{SQLite: db, Metrics: metrics})
	var list []*events.Event
	var ids []string
	for n := range 5 {
		list = append(list, eventstest.Event("session.updated", "a", n))
		ids = append(ids, list[n].GetId())
	}
	to := &picky{away: 1, never: map[string]bool{ids[1]: true, ids[4]: true}}
	if _, err := b.Publish(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Relay(ctx, "picky", to) }()
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come; taken %v", what, to.got())
			}
		}
	}
	var letters []*events.DeadLetter
	await("the dead letters", func() bool {
		letters, err = b.DeadLetters(t.Context(), "_relay_picky", "", 10)
		return err == nil && len(letters) == 2
	})
	if want := []string{ids[0], ids[2], ids[3]}; !slices.Equal(to.got(), want) {
		t.Errorf("took %v, want %v", to.got(), want)
	}
	if letters[0].GetEvent().GetId() != ids[1] || letters[0].GetError() != "too large" {
		t.Errorf("dead letter %v", letters[0])
	}
	to.mu.Lock()
	to.never = nil
	to.mu.Unlock()
	if n, err := b.Requeue(t.Context(), []string{letters[1].GetId()}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	await("what was put back", func() bool { return slices.Contains(to.got(), ids[4]) })
	await("its end", func() bool {
		letters, err = b.DeadLetters(t.Context(), "", "", 10)
		return err == nil && len(letters) == 1
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for name, want := range map[string]float64{"gptmesh_events_dead_letters_total": 2, "gptmesh_events_relayed_total": 3, "gptmesh_events_relay_failures_total": 1} {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == name && family.GetMetric()[0].GetCounter().GetValue() != want {
				t.Errorf("%s is %v, want %v", name, family.GetMetric()[0].GetCounter().GetValue(), want)
			}
		}
		if n, err := testutil.GatherAndCount(registry, name); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

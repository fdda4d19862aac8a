package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/prometheus/client_golang/prometheus"
)

// migrations are those of one store, for either database.
type migrations func() (lite, pg fs.FS)

// openedStore is a store of this version; one of the two is nil.
type openedStore struct {
	lite *sqlite.DB
	pg   *postgres.DB
}

// openStores opens the stores of the rooms that this process runs, side by side,
// and brings them to this version. What cannot be opened is told by room.
func (h *host) openStores(ctx context.Context, all map[string]migrations) error {
	h.stores = map[string]openedStore{}
	writer, err := h.openWriter()
	if err != nil {
		return err
	}
	var (
		mu    sync.Mutex
		work  sync.WaitGroup
		wrong = map[string]error{}
	)
	for room, migrations := range all {
		if !h.runs(room) && (room != eventStore || h.events.off() || !h.keeps()) {
			continue
		}
		work.Go(func() {
			opened, err := h.openStore(ctx, room, migrations, writer)
			mu.Lock()
			defer mu.Unlock()
			h.stores[room] = opened
			if err != nil {
				wrong[room] = err
			}
		})
	}
	work.Wait()
	var errs []error
	for _, room := range append(allRooms, eventStore) {
		opened, ok := h.stores[room]
		if !ok {
			continue
		}
		switch {
		case opened.lite != nil:
			h.group.Add(lifecycle.Component{Name: room + " store", Close: opened.lite.Close})
			errs = append(errs, h.countCommits(room, opened.lite))
		case opened.pg != nil:
			h.group.Add(lifecycle.Component{Name: room + " store", Close: func() error { opened.pg.Close(); return nil }})
		}
	}
	errs = append(errs, byText(append(allRooms, eventStore), wrong))
	if writer != nil { // closed before the stores, whose connections it uses as well
		h.group.Add(lifecycle.Component{Name: "writer", Close: func() error { writer.Close(); return nil }})
	}
	return errors.Join(errs...)
}

// byText joins the errors of rooms; those that say the same, as where a server is
// away, are told once, with all their rooms.
func byText(rooms []string, wrong map[string]error) error {
	var errs []error
	told := map[string]bool{}
	for i, room := range rooms {
		err := wrong[room]
		if err == nil || told[err.Error()] {
			continue
		}
		told[err.Error()] = true
		same := slices.DeleteFunc(slices.Clone(rooms[i:]), func(other string) bool { return wrong[other] == nil || wrong[other].Error() != err.Error() })
		errs = append(errs, fmt.Errorf("%s: %w", strings.Join(same, ", "), err))
	}
	return errors.Join(errs...)
}

// openWriter makes what commits the turns of all rooms; nil on embedded stores.
func (h *host) openWriter() (*postgres.Writer, error) {
	url := h.settings.Database.URL
	if url == "" {
		return nil, nil
	}
	writer, err := postgres.NewWriter(postgres.Config{URL: url, ApplicationName: "gptmesh-writer"})
	if err != nil {
		return nil, fmt.Errorf("database.url (GPTMESH_DATABASE_URL): %w", err)
	}
	if err := errors.Join(
		h.count("gptmesh_postgres_commits_total", "Commits that writes of turns share on PostgreSQL.", nil, func() float64 { return float64(writer.Stats().Commits) }),
		h.count("gptmesh_postgres_writes_total", "Writes in those commits.", nil, func() float64 { return float64(writer.Stats().Writes) })); err != nil {
		writer.Close()
		return nil, err
	}
	return writer, nil
}

// count shows a counter.
func (h *host) count(name, help string, labels prometheus.Labels, of func() float64) error {
	return h.registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, of))
}

// openStore opens one store. It is to be closed also where it could not be
// brought to this version.
func (h *host) openStore(ctx context.Context, room string, migrations migrations, writer *postgres.Writer) (opened openedStore, err error) {
	lite, pg := migrations()
	if url := h.settings.Database.URL; url != "" {
		if opened.pg, err = postgres.Open(ctx, postgres.Config{
			URL: url, Schema: room, MaxConns: h.settings.Database.MaxConns, ApplicationName: "gptmesh-" + room, Writer: writer,
		}); err == nil {
			_, err = opened.pg.Migrate(ctx, pg)
		}
		return opened, err
	}
	if opened.lite, err = sqlite.Open(ctx, sqlite.Config{
		Path: filepath.Join(h.settings.Data, room+".db"), Journal: h.journal, Name: room, Logger: h.logger, Alone: true,
	}); err == nil {
		_, err = opened.lite.Migrate(ctx, lite)
	}
	return opened, err
}

// store is a room's store. What the room tells in it becomes a part of the
// process's events.
func (h *host) store(room string) (*sqlite.DB, *postgres.DB) {
	opened := h.stores[room]
	h.events.add(room, opened.lite, opened.pg)
	return opened.lite, opened.pg
}

// countCommits shows how many writes of a room share a commit.
func (h *host) countCommits(room string, db *sqlite.DB) error {
	counter := func(name, help string, of func(sqlite.Stats) uint64) error {
		return h.count(name, help, prometheus.Labels{"room": room}, func() float64 { return float64(of(db.Stats())) })
	}
	return errors.Join(
		counter("gptmesh_sqlite_commits_total", "Commits of a room's embedded store.", func(s sqlite.Stats) uint64 { return s.Batches }),
		counter("gptmesh_sqlite_writes_total", "Writes in those commits.", func(s sqlite.Stats) uint64 { return s.Writes }),
		counter("gptmesh_sqlite_lost_rows_total", "Rows of the journal that a room's embedded store refused; none, but for a fault of the program.",
			func(sqlite.Stats) uint64 { return db.Lost() }))
}

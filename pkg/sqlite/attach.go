package sqlite

import (
	"context"
	"fmt"

	"github.com/gptmesh/gptmesh/pkg/journal"
)

// heldSuffix follows the name of a database where the journal names what is held.
const heldSuffix = "/held"

// attachSQL makes what the journal needs. These are not of the rooms' migrations: a
// file from before the journal has what they made, and records must be run before
// the tables are changed.
var attachSQL = []string{
	"create table if not exists journal_position (id integer primary key check (id = 1), position integer not null)",
	"create table if not exists journal_held (id integer primary key check (id = 1), position integer not null)",
	makeTextsSQL,
	"insert into journal_position (id, position) values (1, 0) on conflict do nothing",
	"insert into journal_held (id, position) values (1, 0) on conflict do nothing",
}

// attach gives the journal's records that the tables lack to the tables.
func (db *DB) attach(ctx context.Context) error {
	db.pending.begin(db.cfg.Name, positionSQL)
	db.held.begin(db.cfg.Name+heldSuffix, heldPositionSQL)
	db.held.hold, db.held.holdFor = &holding{}, holdFor
	if db.cfg.Journal == nil {
		close(db.pending.stopped)
		close(db.held.stopped)
		return nil
	}
	var rows, held int64
	err := db.commit.Do(ctx, func(_ context.Context, w *writer) error {
		for _, query := range attachSQL {
			if _, err := w.execute(query, nil); err != nil {
				return w.failed(err)
			}
		}
		return nil
	})
	if err == nil {
		err = db.read.QueryRowContext(ctx, "select p.position, h.position from journal_position p, journal_held h").Scan(&rows, &held)
	}
	if err != nil {
		return err
	}
	stored, err := db.storedTexts(ctx)
	if err != nil {
		return err
	}
	records := db.cfg.Journal.Attach(db.pending.name, uint64(rows))
	behind := db.cfg.Journal.Attach(db.held.name, uint64(held))
	if n := len(records); n > 0 {
		rows = int64(records[n-1].Sequence)
	}
	if n := len(behind); n > 0 {
		held = int64(behind[n-1].Sequence)
	}
	if len(records)+len(behind)+len(stored) > 0 {
		err := db.commit.Do(ctx, func(_ context.Context, w *writer) error {
			for _, list := range [][]journal.Record{records, behind} {
				if err := db.rerun(w, list, stored); err != nil {
					return err
				}
			}
			if _, err := w.execute(dropTextsSQL, nil); err != nil {
				return w.failed(err)
			}
			if _, err := w.execute(positionSQL, []any{rows}); err != nil {
				return w.failed(err)
			}
			_, err := w.execute(heldPositionSQL, []any{held})
			return w.failed(err)
		})
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		db.cfg.Journal.Applied(db.pending.name, uint64(rows))
		db.cfg.Journal.Applied(db.held.name, uint64(held))
	}
	db.pending.attached(uint64(rows))
	db.held.attached(uint64(held))
	go db.applying(&db.pending)
	go db.applying(&db.held)
	return nil
}

// rerun runs records of the time before.
func (db *DB) rerun(w *writer, records []journal.Record, stored map[uint64]string) error {
	for _, record := range records {
		list, err := parseStmts(record.Body, stored)
		if err != nil {
			return fmt.Errorf("%w: number %d", err, record.Sequence)
		}
		if err := db.runLater(w, list, nil); err != nil {
			return err
		}
	}
	return nil
}

// begin makes an empty list.
func (p *pending) begin(name, position string) {
	p.name, p.position = name, position
	p.turn, p.some, p.much = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
}

// attached says how far the tables are.
func (p *pending) attached(position uint64) {
	p.appended = position
	p.newest.Store(position)
	p.applied.Store(position)
}

// detach runs what is queued and ends the running. What cannot be run stays in
// the journal.
func (db *DB) detach() error {
	if db.cfg.Journal == nil {
		return nil
	}
	for _, p := range []*pending{&db.pending, &db.held} {
		close(p.stop)
		<-p.stopped
	}
	return db.settle(context.Background())
}

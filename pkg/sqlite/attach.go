package sqlite

import (
	"context"
	"fmt"
)

// attach gives the journal's records that the tables lack to the tables.
func (db *DB) attach(ctx context.Context) error {
	p := &db.pending
	p.turn, p.some, p.much = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	if db.cfg.Journal == nil {
		close(p.stopped)
		return nil
	}
	var position int64
	err := db.commit.Do(ctx, func(_ context.Context, w *writer) error {
		// Not one of the rooms' migrations: a file from before the journal has
		// what they made, and records must be run before the tables are changed.
		if _, err := w.execute("create table if not exists journal_position (id integer primary key check (id = 1), position integer not null)", nil); err != nil {
			return w.failed(err)
		}
		if _, err := w.execute(makeTextsSQL, nil); err != nil {
			return w.failed(err)
		}
		_, err := w.execute("insert into journal_position (id, position) values (1, 0) on conflict do nothing", nil)
		return w.failed(err)
	})
	if err == nil {
		err = db.read.QueryRowContext(ctx, "select position from journal_position").Scan(&position)
	}
	if err != nil {
		return err
	}
	records := db.cfg.Journal.Attach(db.cfg.Name, uint64(position))
	stored, err := db.storedTexts(ctx)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		last := records[len(records)-1].Sequence
		err := db.commit.Do(ctx, func(_ context.Context, w *writer) error {
			for _, record := range records {
				list, err := parseStmts(record.Body, stored)
				if err != nil {
					return fmt.Errorf("%w: number %d", err, record.Sequence)
				}
				if err := db.runLater(w, list, nil); err != nil {
					return err
				}
			}
			if _, err := w.execute(dropTextsSQL, nil); err != nil {
				return w.failed(err)
			}
			_, err := w.execute(positionSQL, []any{int64(last)})
			return w.failed(err)
		})
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		position = int64(last)
		db.cfg.Journal.Applied(db.cfg.Name, last)
	} else if len(stored) > 0 {
		err := db.commit.Do(ctx, func(_ context.Context, w *writer) error {
			_, err := w.execute(dropTextsSQL, nil)
			return w.failed(err)
		})
		if err != nil {
			return err
		}
	}
	p.appended = uint64(position)
	p.newest.Store(p.appended)
	p.applied.Store(p.appended)
	go db.applying()
	return nil
}

// detach runs what is queued and ends the running. What cannot be run stays in
// the journal.
func (db *DB) detach() error {
	if db.cfg.Journal == nil {
		return nil
	}
	p := &db.pending
	close(p.stop)
	<-p.stopped
	return db.settle(context.Background())
}

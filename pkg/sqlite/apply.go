package sqlite

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

const (
	positionSQL     = "update journal_position set position = ?"
	heldPositionSQL = "update journal_held set position = ?"
)

// apply runs what is queued up to a number, and what is in the journal for sure, at
// most maxApply writes. The caller holds the turn.
func (db *DB) apply(p *pending, to uint64) error {
	p.mu.Lock()
	n := min(len(p.list), maxApply)
	for n > 0 && p.list[n-1].sequence > to && !p.list[n-1].flight.Over() {
		n--
	}
	var last *Later
	if n > 0 {
		last = p.list[n-1]
	}
	p.mu.Unlock()
	// A commit may outlive what is not in the journal yet, of this store and of others
	// whose records come before. What the journal cannot take is run nevertheless.
	if last != nil {
		_ = last.flight.Wait(context.Background())
	}
	p.mu.Lock()
	batch := p.take(p.batch[:0], n)
	beyond := beyond(batch)
	p.mu.Unlock()
	// The position goes past records whose writes were replaced by some that come
	// later: these must not be lost then.
	if beyond != nil && beyond.flight.Wait(context.Background()) != nil {
		p.mu.Lock()
		batch = p.take(batch, len(p.list))
		p.mu.Unlock()
	}
	n = len(batch)
	p.batch = batch
	defer clear(batch)
	if n == 0 && p.hold.none() {
		return nil
	}
	position := p.hold.last()
	if n > 0 {
		position = batch[n-1].sequence
	}
	var added map[string]uint64
	var done []func(bool)
	err := db.commit.Do(context.Background(), func(_ context.Context, w *writer) error {
		g := p.hold.gathered()
		if err := db.runBatch(w, p, g); err != nil {
			return err
		}
		joined := g.joined()
		done = g.done
		if err := db.runLater(w, joined, nil); err != nil {
			return err
		}
		var err error
		if db.cfg.Synchronous == Full { // else a loss of power could take a text and leave what names it
			if added, err = db.texts.add(w, batch); err != nil {
				return err
			}
		}
		_, err = w.execute(p.position, []any{int64(position)})
		return w.failed(err)
	})
	if err == nil {
		db.texts.publish(added)
	}
	for _, f := range done {
		f(err == nil)
	}
	p.mu.Lock()
	if err != nil {
		for _, l := range batch {
			if l.state == laterRunning {
				l.state = laterQueued
			}
		}
		p.list = append(slices.Clone(batch), p.list...)
		p.mu.Unlock()
		return err
	}
	for _, l := range batch {
		if l.state == laterRunning {
			l.over(p)
		}
	}
	p.mu.Unlock()
	p.hold.forget()
	p.applied.Store(position)
	db.cfg.Journal.Applied(p.name, position)
	return nil
}

// ready is the number of the last write that need not be waited for, or where each
// must be, of the last one.
func (p *pending) ready() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range slices.Backward(p.list) {
		if l.flight.Over() {
			return l.sequence
		}
	}
	return p.appended
}

// again has what was not run yet gathered again. The list may have become long
// enough meanwhile.
func (p *pending) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) > 0 {
		signal(p.some)
	}
	if p.bytes.Load() >= applyAt {
		signal(p.much)
	}
}

// take moves the first writes of the list to batch, to be run. p.mu is held.
func (p *pending) take(batch []*Later, most int) []*Later {
	n := min(len(p.list), most)
	for _, l := range p.list[:n] {
		if l.state == laterQueued {
			l.state = laterRunning
		}
	}
	batch = append(batch, p.list[:n]...)
	p.list = p.list[:copy(p.list, p.list[n:])]
	clear(p.list[len(p.list) : len(p.list)+n])
	return batch
}

// beyond is the last write behind a batch that stands in the place of one of it, nil
// for none. The mu of their list is held.
func beyond(batch []*Later) *Later {
	var last *Later
	for _, l := range batch {
		for by := l.by.Load(); by != nil; by = l.by.Load() {
			l = by
		}
		if l.sequence > batch[len(batch)-1].sequence && (last == nil || l.sequence > last.sequence) {
			last = l
		}
	}
	return last
}

// runLater runs one write's statements. One that fails by itself, which it must
// not be able to, is lost and said so; the others are not held up by it. Those that
// may be run together are left to g, where it is given.
func (db *DB) runLater(w *writer, list stmts, g *gathering) error {
	for _, stmt := range list {
		if w.fatal != nil {
			return w.fatal
		}
		if w.recording(stmt) || g != nil && g.add(stmt) {
			continue
		}
		_, err := w.conn.run(stmt)
		if err = w.failed(err); err == nil {
			continue
		}
		if !refused(err) {
			return err
		}
		db.lost.Add(1)
		db.cfg.Logger.LogAttrs(context.Background(), slog.LevelError, "a row that was acknowledged cannot be stored",
			slog.String("store", db.cfg.Name), slog.String("statement", stmt.Query), slog.Any("error", err))
	}
	return nil
}

// applying runs what gathers, until Close.
func (db *DB) applying(p *pending) {
	defer close(p.stopped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	wait := func(d time.Duration, early <-chan struct{}) {
		timer.Reset(d)
		select {
		case <-timer.C:
		case <-early:
		case <-p.stop:
		}
	}
	for {
		select {
		case <-p.some:
		case <-p.stop:
			return
		}
		wait(applyDelay, p.much)
		for db.holds(p) {
			wait(applyDelay, p.much)
			select {
			case <-p.stop:
				return
			default:
			}
		}
		for {
			err := db.settleTo(context.Background(), p, p.ready())
			if err == nil {
				p.again()
				break
			}
			db.cfg.Logger.LogAttrs(context.Background(), slog.LevelError, "rows cannot be stored; the journal keeps them",
				slog.String("store", p.name), slog.Any("error", err))
			wait(applyAgain, nil)
			select {
			case <-p.stop:
				return
			default:
			}
		}
	}
}

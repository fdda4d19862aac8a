package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/journal"
	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// Bounds of what waits to be run.
const (
	// applyDelay is how long statements are left to gather.
	applyDelay = time.Second
	// applyAt is the size from which they are run at once, in one transaction whose
	// pages SQLite can keep in memory; maxPending that from which callers wait.
	applyAt, maxPending = 1536 << 10, 8 << 20
	// maxApply bounds the writes in one transaction: direct writes and readers
	// wait for it.
	maxApply = 1024
	// applyAgain is the pause after a failure.
	applyAgain = time.Second
)

// Later is a write that is, or is about to be, in the journal, and will be in
// its tables before anybody reads them.
type Later struct {
	db       *DB
	p        *pending        // where it waits
	flight   *journal.Flight // nil where it was committed at once
	sequence uint64
	stmts    stmts // nil once they need not be run any more
	page     *page // what they and their values lie in; nil for none that is given back
	before   stmts // what it took the place of, until it is over
	beneath  *page // page of before
	size     int
	spelled  bool                  // its record has a text that has no number
	by       atomic.Pointer[Later] // what stands in its place; set under p.mu
	refused  error                 // what a Wait told of a write that is never run; guarded by p.mu
	state    laterState            // guarded by p.mu
}

type laterState int8

const (
	laterQueued laterState = iota
	laterRunning
	laterOver // run or replaced
	laterWithdrawn
)

// pending is what is in the journal and not yet in the tables. A DB has two: one of
// rows, and behind it one of what is held; see hold.go.
type pending struct {
	name     string   // the journal's
	position string   // the statement that stores how far the tables have come
	hold     *holding // nil for rows; changed by whoever has the turn
	holdFor  time.Duration

	mu       sync.Mutex
	list     []*Later // queued, in order
	batch    []*Later // what is applied, and of it what is run: both of whoever has the turn
	running  []*Later
	bytes    atomic.Int64
	pages    pages
	spare    []Later       // not used yet
	appended uint64        // the number of the last that was queued
	applied  atomic.Uint64 // every write up to it is in the tables
	newest   atomic.Uint64 // appended
	turn     chan struct{} // held by whoever applies
	some     chan struct{} // something is queued
	much     chan struct{} // enough to be run at once
	stop     chan struct{}
	stopped  chan struct{}
}

// Journaled says whether there is a journal: then only this process writes to the
// database, and what it writes later is not in the tables at once.
func (db *DB) Journaled() bool { return db.cfg.Journal != nil }

// Later writes statements that are run together. They are in order when it
// returns, ahead of all that begins after it, and visible to all readers of this
// DB; they are durable when Wait or Join of the result says so. They are run
// soon, many at once.
//
// Nobody is told when a statement fails while it is run. So it must not be able
// to: no constraint that the caller has not checked, no count of changed rows
// that the caller needs.
//
// A DB without a journal runs them at once, in one commit.
func (db *DB) Later(ctx context.Context, list ...Stmt) (*Later, error) {
	if err := db.admit(ctx, list); err != nil {
		return nil, err
	}
	record := outbox.From(ctx)
	if db.cfg.Journal == nil {
		return &Later{db: db}, db.runNow(ctx, assemble(nil, nil, list, record))
	}
	p := &db.pending
	if record == nil && stmts(list).replaceable() {
		p = &db.held
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.make(db)
	l.stmts, l.page = p.pages.keep(nil, list, record)
	p.queue(l, 0)
	for i := range l.stmts {
		if l.stmts[i].Now != nil {
			l.stmts[i].Args = nil
		}
	}
	return l, nil
}

// Instead writes statements in the place of an earlier write, which is then
// never run, but for its Recordings: these come before the new statements. ok is
// false where that was run already: then nothing is done.
func (db *DB) Instead(ctx context.Context, earlier *Later, list ...Stmt) (l *Later, ok bool, err error) {
	if db.cfg.Journal == nil {
		return nil, false, nil
	}
	if err := db.admit(ctx, list); err != nil {
		return nil, false, err
	}
	p := &db.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	if earlier.state != laterQueued {
		return nil, false, nil
	}
	l = p.make(db)
	l.stmts, l.page = p.pages.keep(earlier.stmts, list, outbox.From(ctx))
	l.before, l.beneath = earlier.stmts, earlier.page
	earlier.stmts, earlier.page = nil, nil // over would clear them
	earlier.over(p)
	p.queue(l, earlier.sequence)
	earlier.by.Store(l)
	return l, true, nil
}

// admit checks statements and waits for room.
func (db *DB) admit(ctx context.Context, list stmts) error {
	if err := list.values(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, p := range [2]*pending{&db.pending, &db.held} {
		if p.full() {
			if err := db.settleTo(ctx, p, p.ready()); err != nil {
				return err
			}
		}
	}
	if db.cfg.Journal == nil {
		return nil
	}
	return db.cfg.Journal.Admit(ctx)
}

func (p *pending) full() bool { return p.bytes.Load() > maxPending }

// queue adds l to the journal and to what is to be run. p.mu is held.
func (p *pending) queue(l *Later, replaces uint64) {
	db := l.db
	l.size = l.stmts.size()
	sequence, flight := db.cfg.Journal.Append(p.name, replaces, l)
	if sequence == 0 { // the journal is closed: what is written now is known by its place
		sequence = p.appended + 1
	}
	l.sequence, l.flight = sequence, flight
	p.list = append(p.list, l)
	now := int(p.bytes.Add(int64(l.size)))
	p.appended = sequence
	p.newest.Store(sequence)
	if len(p.list) == 1 {
		signal(p.some)
	}
	if now >= applyAt && now-l.size < applyAt {
		signal(p.much)
	}
}

// Size implements journal.Body.
func (l *Later) Size() int { return l.size }

// AppendTo implements journal.Body.
func (l *Later) AppendTo(dst []byte) []byte {
	dst, l.spelled = l.stmts.appendTo(dst, l.db.texts.known)
	return dst
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// over lets go of what was queued. p.mu is held.
func (l *Later) over(p *pending) {
	clear(l.stmts)
	clear(l.before)
	p.pages.release(l.page)
	p.pages.release(l.beneath)
	l.state, l.stmts, l.page, l.before, l.beneath = laterOver, nil, nil, nil, nil
	p.bytes.Add(-int64(l.size))
}

// Wait returns when the write is durable. Where the journal could not take it,
// the write is run and committed first; where that fails too, it is withdrawn, and
// this and all later calls say so.
func (l *Later) Wait(ctx context.Context) error {
	if l.flight == nil {
		return nil
	}
	err := l.flight.Wait(ctx)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	p := l.p
	settled := l.db.settleTo(ctx, p, l.sequence)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case l.refused != nil: // what came behind it may be in the tables by now
		return l.refused
	case settled == nil:
		return nil
	case l.state != laterQueued:
		return settled
	}
	l.refused = errors.Join(err, settled)
	if l.before != nil { // that is durable, and comes back
		clear(l.stmts)
		p.pages.release(l.page)
		l.stmts, l.page, l.before, l.beneath = l.before, l.beneath, nil, nil
	} else {
		l.over(p)
		l.state = laterWithdrawn
	}
	return l.refused
}

// Withdrawn says whether the write failed and will never be run, as Wait has told
// somebody.
func (l *Later) Withdrawn() bool {
	if l.p == nil {
		return false
	}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return l.state == laterWithdrawn
}

// Stored says whether the tables have the write, or what stands in its place, or
// nothing will ever be run of it.
func (l *Later) Stored() bool {
	for ; l != nil; l = l.by.Load() {
		if l.p != nil && l.p.applied.Load() < l.sequence {
			return false
		}
	}
	return true
}

// Omit leaves out the statements of a text, which nobody needs any more, and says
// whether it could: false where they may have been run. A crash may have them run for
// all that.
func (l *Later) Omit(query string) bool {
	if l.p == nil {
		return false
	}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.state != laterQueued {
		return false
	}
	l.stmts = slices.DeleteFunc(l.stmts, func(s Stmt) bool { return s.Query == query })
	return true
}

// Written returns when the end of the process cannot take the write any more, a loss
// of power still may. Where that cannot be had alone, it is Wait.
func (l *Later) Written(ctx context.Context) error {
	if l.flight == nil || l.flight.Written(ctx, l.sequence) == nil {
		return nil
	}
	return l.Wait(ctx)
}

// Join leaves the waiting to the group in ctx, or waits where there is none,
// though ctx ends.
func (l *Later) Join(ctx context.Context) error {
	if l.flight == nil {
		return nil
	}
	if g := durable.From(ctx); g != nil {
		g.Add(l)
		return nil
	}
	return l.Wait(context.WithoutCancel(ctx))
}

// runNow runs statements in one commit.
func (db *DB) runNow(ctx context.Context, list stmts) error {
	if len(list) == 1 && list[0].Query != "" {
		_, err := db.exec(ctx, list[0])
		return err
	}
	return db.commit.Do(ctx, func(_ context.Context, w *writer) error { return w.runAll(list) })
}

func (w *writer) runAll(list stmts) error {
	for _, stmt := range list {
		if w.recording(stmt) {
			continue
		}
		if _, err := w.conn.run(stmt); err != nil {
			return w.failed(err)
		}
	}
	return nil
}

// settle returns when all that was written later until now is in the tables.
func (db *DB) settle(ctx context.Context) error {
	if db.cfg.Journal == nil {
		return nil
	}
	held := db.held.newest.Load()
	if err := db.settleTo(ctx, &db.pending, db.pending.newest.Load()); err != nil {
		return err
	}
	return db.settleTo(ctx, &db.held, held)
}

// settleTo returns when all that waits in p up to a number is in the tables. What is
// held comes behind all rows.
func (db *DB) settleTo(ctx context.Context, p *pending, sequence uint64) error {
	for p.applied.Load() < sequence {
		select {
		case p.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if p.applied.Load() < sequence {
			if p == &db.held {
				err = db.applyHeld(sequence)
			} else {
				err = db.apply(p, sequence)
			}
		}
		<-p.turn
		if err != nil {
			return err
		}
	}
	return nil
}

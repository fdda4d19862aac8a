package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// Bounds of what a [Writer] does at a time.
const (
	maxCalls  = 256              // in one commit
	maxQueued = 4096             // calls that may wait; more callers block
	maxTime   = 30 * time.Second // of one commit
	lockTime  = "500"            // milliseconds that a statement waits for others' locks
)

var (
	// ErrUnchanged: a statement that must change a row changed none.
	ErrUnchanged = errors.New("postgres: nothing was changed")
	// ErrClosed: the writer takes no more calls.
	ErrClosed = errors.New("postgres: writer is closed")
)

// Stmt is one statement of a call of [DB.Commit].
type Stmt struct {
	// Query names its tables with their schema, see [DB.Table], since the writer's
	// connection has none. It returns no rows.
	Query string
	// Args are its arguments, which must not change before Commit returns.
	Args []any
	// Must says that the statement, which begins with "update" or "delete", has to
	// change a row: where it changes none, nothing of its call happens, and Commit
	// returns ErrUnchanged.
	Must bool
	// Row says that the statement is one "insert into … values" without the row
	// itself, whose values are the arguments in their order. Several calls with the
	// same query share a statement, which comes after all that are not rows. Calls
	// that have more than one such query in common must have them in the same order,
	// which is kept.
	Row bool
}

// Writer makes commits that concurrent calls of [DB.Commit] share: whoever comes
// while one is under way is in the next, and each is one round trip. Calls are
// committed in the order in which they came. One that the server refuses is left
// out and hurts no other.
//
// It is safe for concurrent use, and may serve all databases of a process that are
// schemas of one.
type Writer struct {
	pool    *pgxpool.Pool // of one connection
	queue   chan *call
	closing chan struct{}
	over    chan struct{}
	alone   sync.WaitGroup // of those who run calls in transactions of their own

	// Owned by the loop.
	texts    map[text]string // made so far
	prepared []*pgconn.StatementDescription
	packed   packed

	commits, writes atomic.Uint64
}

// Stats counts what a [Writer] has done since it was made.
type Stats struct {
	// Commits is the number of transactions.
	Commits uint64
	// Writes is the number of calls that they held.
	Writes uint64
}

const (
	waiting int32 = iota
	taken
	dropped
)

// call is what one caller wants to be committed.
type call struct {
	db     *DB
	ctx    context.Context
	stmts  []Stmt
	record []byte
	state  atomic.Int32
	done   chan struct{} // closed with the answer
	err    error         // written before done
}

func (c *call) answer(err error) {
	c.err = err
	close(c.done)
}

// NewWriter makes a writer, which connects when it is first used. Close must be
// called. The configuration's schema and number of connections do not count.
func NewWriter(cfg Config) (*Writer, error) {
	w, err := makeWriter(cfg)
	if err == nil {
		go w.loop()
	}
	return w, err
}

func makeWriter(cfg Config) (*Writer, error) {
	cfg.Schema, cfg.MaxConns = "", 1
	poolConfig, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	// Whoever waits for a lock must not hold up the others for long.
	poolConfig.ConnConfig.RuntimeParams["lock_timeout"] = lockTime
	poolConfig.MinConns, poolConfig.MinIdleConns = 0, 0
	pool, err := pgxpool.NewWithConfig(context.Background(), poolConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return &Writer{
		pool: pool, queue: make(chan *call, maxQueued), closing: make(chan struct{}), over: make(chan struct{}), texts: map[text]string{},
	}, nil
}

// Stats returns the counters.
func (w *Writer) Stats() Stats { return Stats{Commits: w.commits.Load(), Writes: w.writes.Load()} }

// Close refuses new calls, sees to those that wait, waits for all that are under way
// and closes the connection. It must be called once, before databases that it serves
// are closed: calls under way may need their connections.
func (w *Writer) Close() {
	close(w.closing)
	<-w.over
	w.alone.Wait()
	w.pool.Close()
}

// Commit runs statements, all or nothing, in a commit that concurrent calls share,
// and with them what ctx carries for the outbox. It returns nil only after the
// commit. Errors are those of the server, and [ErrUnchanged].
//
// A ctx that ends takes the call out of the queue. Once it was sent, Commit waits
// for its answer: for as long as the most patient of those that share the commit.
func (db *DB) Commit(ctx context.Context, stmts ...Stmt) error {
	queued, err := db.Queue(ctx, stmts...)
	if err != nil {
		return err
	}
	return queued.Wait()
}

// Queued is a call that [DB.Queue] has queued.
type Queued struct{ call *call }

// Queue begins what [DB.Commit] does: calls that are queued when it has returned are
// run later. Wait must be called.
func (db *DB) Queue(ctx context.Context, stmts ...Stmt) (Queued, error) {
	if err := ctx.Err(); err != nil {
		return Queued{}, err
	}
	w := db.writer
	c := &call{db: db, ctx: ctx, stmts: stmts, record: outbox.From(ctx), done: make(chan struct{})}
	select {
	case <-w.closing:
		return Queued{}, ErrClosed
	default:
	}
	select {
	case w.queue <- c:
		return Queued{c}, nil
	case <-w.closing:
		return Queued{}, ErrClosed
	case <-ctx.Done():
		return Queued{}, ctx.Err()
	}
}

// Wait waits for the commit, once, and returns what Commit does.
func (q Queued) Wait() error {
	c := q.call
	select {
	case <-c.done:
		return c.err
	case <-c.ctx.Done():
		if c.state.CompareAndSwap(waiting, dropped) {
			return c.ctx.Err()
		}
	case <-c.db.writer.over:
		if c.state.CompareAndSwap(waiting, dropped) {
			return ErrClosed
		}
	}
	<-c.done
	return c.err
}

// Table returns the name of a table with db's schema, for a statement of Commit.
func (db *DB) Table(name string) string {
	if db.schema == "" {
		return name
	}
	return pgx.Identifier{db.schema}.Sanitize() + "." + name
}

func (w *Writer) loop() {
	defer close(w.over)
	var calls []*call
	for {
		select {
		case c := <-w.queue:
			calls = w.gather(append(calls[:0], c))
		case <-w.closing:
			if calls = w.gather(calls[:0]); len(calls) == 0 {
				return
			}
		}
		live := calls[:0]
		for _, c := range calls {
			if c.state.CompareAndSwap(waiting, taken) {
				live = append(live, c)
			}
		}
		w.commit(live)
		clear(calls)
	}
}

// gather adds the calls that wait.
func (w *Writer) gather(calls []*call) []*call {
	for len(calls) < maxCalls {
		select {
		case c := <-w.queue:
			calls = append(calls, c)
		default:
			return calls
		}
	}
	return calls
}

// commit commits calls and answers them, or leaves that to who runs them alone. One
// that the server refuses is left out, and the others are sent again.
func (w *Writer) commit(calls []*call) {
	if len(calls) == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), patience(calls))
	defer cancel()
	for merged, again := true, true; len(calls) > 0; {
		s := w.sentence(calls, merged)
		failed, err := w.send(ctx, s)
		switch {
		case err != nil && again && pgconn.SafeToRetry(err) && ctx.Err() == nil:
			again = false // the connection had broken before it was used
			continue
		case err == nil:
			w.commits.Add(1)
			w.writes.Add(uint64(len(calls)))
			answerAll(calls, nil)
			for _, db := range s.told {
				db.Recorded()
			}
			return
		case failed == notRun && len(calls) > 1: // for whose sake is not known
			for _, c := range calls {
				w.commit([]*call{c})
			}
			return
		case failed == notRun:
			w.runAlone(calls[0])
			return
		case failed == unknown || !refused(err):
			answerAll(calls, err)
			return
		case s.parts[failed].call != nil:
			calls = w.leaveOut(calls, s.parts[failed], err)
		case merged:
			merged = false // to see whose row it is
		default:
			answerAll(calls, err)
			return
		}
	}
}

func answerAll(calls []*call, err error) {
	for _, c := range calls {
		c.answer(err)
	}
}

// patience is when the last of the callers gives up.
func patience(calls []*call) time.Time {
	var last time.Time
	most := time.Now().Add(maxTime)
	for _, c := range calls {
		until, bounded := c.ctx.Deadline()
		if !bounded || until.After(most) {
			return most
		}
		if until.After(last) {
			last = until
		}
	}
	return last
}

// leaveOut answers the call whose statement was refused and returns the others.
func (w *Writer) leaveOut(calls []*call, p part, err error) []*call {
	c := p.call
	for i := range calls {
		if calls[i] == c {
			calls = append(calls[:i], calls[i+1:]...)
			break
		}
	}
	switch {
	case IsConflict(err) || code(err) == codeLockNotAvailable:
		w.runAlone(c) // however long others hold the row
	case p.must && code(err) == codeDivisionByZero:
		c.answer(ErrUnchanged)
	default:
		c.answer(err)
	}
	return calls
}

// runAlone runs a call in a transaction of its own and answers it. It does not wait:
// the call may, for others' locks, as long as its caller does.
func (w *Writer) runAlone(c *call) { w.alone.Go(func() { c.answer(c.alone()) }) }

// alone runs a call in a transaction of its own.
func (c *call) alone() error {
	return c.db.Write(c.ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, stmt := range c.stmts {
			if err := Run(ctx, tx, stmt); err != nil {
				return err
			}
		}
		return nil
	})
}

// Run runs a statement in a transaction. [ErrUnchanged] where it had to change a row.
func Run(ctx context.Context, tx pgx.Tx, stmt Stmt) error {
	query := stmt.Query
	if stmt.Row {
		query = rowsText(query, len(stmt.Args), 1)
	}
	tag, err := tx.Exec(ctx, query, stmt.Args...)
	if err == nil && stmt.Must && tag.RowsAffected() == 0 {
		err = ErrUnchanged
	}
	return err
}

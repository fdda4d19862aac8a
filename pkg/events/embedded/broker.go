package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
)

// Defaults of [Config].
const (
	DefaultRetention    = time.Hour
	DefaultMaxRetention = 24 * time.Hour
	DefaultForgetAfter  = 720 * time.Hour
)

// Config says how the log is kept and read.
type Config struct {
	// Retention is how long events are kept for replay. Default
	// DefaultRetention.
	Retention time.Duration `yaml:"retention"`
	// MaxRetention is how long events are kept for consumers that have not come
	// by. Default DefaultMaxRetention.
	MaxRetention time.Duration `yaml:"max_retention"`
	// ForgetAfter is how long dead letters are kept, and the places of consumers
	// that do not come by. Default DefaultForgetAfter.
	ForgetAfter time.Duration `yaml:"forget_after"`

	gather, poll, lease, trim time.Duration // for tests
}

// Validate says what is wrong.
func (c Config) Validate() error {
	if c.Retention < 0 || c.MaxRetention < 0 || c.ForgetAfter < 0 {
		return errors.New("retention, max_retention and forget_after: must not be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, standard time.Duration) {
		if *d <= 0 {
			*d = standard
		}
	}
	set(&c.Retention, DefaultRetention)
	set(&c.MaxRetention, DefaultMaxRetention)
	set(&c.ForgetAfter, DefaultForgetAfter)
	c.MaxRetention = max(c.MaxRetention, c.Retention)
	c.ForgetAfter = max(c.ForgetAfter, c.MaxRetention)
	set(&c.gather, 20*time.Millisecond)
	set(&c.poll, 250*time.Millisecond)
	set(&c.lease, 5*time.Second)
	set(&c.trim, time.Minute)
	return c
}

// Deps are the stores of one process.
type Deps struct {
	// SQLite or Postgres is the broker's own store, exactly one of them,
	// migrated. The broker does not close it.
	SQLite   *sqlite.DB
	Postgres *postgres.DB
	// RoomsSQLite are the stores of rooms by name, whose outboxes are logs.
	RoomsSQLite map[string]*sqlite.DB
	// RoomsPostgres are the stores of rooms by name, whose outboxes are moved
	// into the log. They must be schemas of the same database as Postgres.
	RoomsPostgres map[string]*postgres.DB
	// Logger is for what happens outside of calls. Nil discards it.
	Logger *slog.Logger
	// Metrics count dead letters and what is handed on. Nil counts nothing.
	Metrics *events.Metrics
}

// Broker implements events.Broker. Start must be called before the first
// subscription, Close after the last.
type Broker struct {
	cfg    Config
	db     database
	logs   []*log
	mover  *mover // nil on SQLite
	deps   Deps
	logger *slog.Logger

	letterIDs events.LetterIDs

	life *events.Life

	mu      sync.RWMutex
	wakers  map[chan struct{}]struct{}
	waiting atomic.Int32 // how many wakers there are
}

// ownLog is the log of what is published, apart from rooms' events.
const ownLog = "events"

// New makes the broker.
func New(cfg Config, deps Deps) (*Broker, error) {
	b := &Broker{life: events.NewLife(), cfg: cfg.withDefaults(), deps: deps, logger: deps.Logger, wakers: map[chan struct{}]struct{}{}}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case deps.SQLite != nil && deps.Postgres == nil:
		b.db = liteDB{deps.SQLite}
		b.logs = append(b.logs, &log{name: ownLog, db: b.db, table: "outbox"})
		deps.SQLite.OnRecord(b.wake)
		for name, db := range deps.RoomsSQLite {
			b.logs = append(b.logs, &log{name: name, db: liteDB{db}, table: "outbox", room: name})
			db.OnRecord(b.wake)
		}
	case deps.Postgres != nil && deps.SQLite == nil:
		pg := pgDB{deps.Postgres, new(sync.Map)}
		b.db = pg
		b.logs = append(b.logs, &log{name: ownLog, db: pg, table: "log"})
		b.mover = newMover(b, deps)
	default:
		return nil, errors.New("events: exactly one of the stores SQLite and Postgres must be given")
	}
	return b, nil
}

// Start begins the background work.
func (b *Broker) Start(ctx context.Context) error {
	if err := b.Ping(ctx); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if b.mover != nil {
		b.life.Go(b.mover.run)
	}
	b.life.Go(b.trimNowAndThen)
	return nil
}

// Ping says whether the store can serve.
func (b *Broker) Ping(ctx context.Context) error {
	return b.db.query(ctx, func(scan func(...any) error) error { var one int; return scan(&one) }, "select 1")
}

// Close ends every subscription and waits for them.
func (b *Broker) Close() error {
	b.life.End()
	for _, db := range b.deps.RoomsSQLite {
		db.OnRecord(nil)
	}
	if b.deps.SQLite != nil {
		b.deps.SQLite.OnRecord(nil)
	}
	return nil
}

// wake tells whoever waits that a log has grown. It does not block.
func (b *Broker) wake() {
	if b.waiting.Load() == 0 {
		return
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	for c := range b.wakers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// listen returns a channel that gets a value whenever a log has grown.
func (b *Broker) listen() (woken <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	b.wakers[c] = struct{}{}
	b.mu.Unlock()
	b.waiting.Add(1)
	return c, func() {
		b.waiting.Add(-1)
		b.mu.Lock()
		delete(b.wakers, c)
		b.mu.Unlock()
	}
}

func (b *Broker) trimNowAndThen(ctx context.Context) {
	lifecycle.Every(ctx, b.cfg.trim, func(ctx context.Context) {
		if err := b.trim(ctx, time.Now()); err != nil && ctx.Err() == nil {
			b.logger.Warn("old events cannot be removed", "error", err)
		}
	})
}

// trim removes what need not be kept any more.
func (b *Broker) trim(ctx context.Context, now time.Time) error {
	kept, err := b.lowest(ctx, now.Add(-b.cfg.MaxRetention))
	if err != nil {
		return err
	}
	for _, l := range b.logs {
		if below, ok := kept[l.name]; ok {
			if _, err := l.trim(ctx, now.Add(-b.cfg.Retention), below.seq); err != nil {
				return err
			}
		} else if _, err := l.trim(ctx, now.Add(-b.cfg.Retention), 1<<62); err != nil {
			return err
		}
		if _, err := l.trim(ctx, now.Add(-b.cfg.MaxRetention), 1<<62); err != nil {
			return err
		}
	}
	forgotten := now.Add(-b.cfg.ForgetAfter).UnixMicro()
	for _, old := range []struct {
		query string
		args  []any
	}{
		{"delete from published where micros < ?", []any{now.Add(-b.cfg.Retention).UnixMicro()}},
		{"delete from dead_letters where micros < ?", []any{forgotten}},
		{"delete from consumers where update_micros < ? and held_until < ?", []any{forgotten, now.UnixMicro()}},
	} {
		if _, err := b.db.exec(ctx, old.query, old.args...); err != nil {
			return err
		}
	}
	return nil
}

// pause waits until something is new, or for a time; false when ctx is done.
func pause(ctx context.Context, woken <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-woken:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

func newHolder() string { return ids.New("sub") }

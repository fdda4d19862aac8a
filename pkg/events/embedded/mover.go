package embedded

import (
	"context"
	"slices"
	"time"

	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// moveBatch is how many records are moved at a time.
const moveBatch = 256

// moveLock is the lock of the log: whoever holds it alone writes into it.
const moveLock = 0x6770746d65736865 // "gptmeshe"

// mover moves what rooms of this process have committed into the log.
type mover struct {
	b          *Broker
	db         *postgres.DB
	rooms      []string // schemas with an outbox
	woken      chan struct{}
	statements map[string]string // statements by room
}

func newMover(b *Broker, deps Deps) *mover {
	m := &mover{b: b, db: deps.Postgres, woken: make(chan struct{}, 1), statements: map[string]string{}}
	wake := func() {
		select {
		case m.woken <- struct{}{}:
		default:
		}
	}
	add := func(room string, db *postgres.DB) {
		db.OnRecord(wake)
		table := "outbox"
		if schema := db.Schema(); schema != "" {
			table = pgx.Identifier{schema, table}.Sanitize()
		}
		m.rooms = append(m.rooms, room)
		m.statements[room] = `with moved as (delete from ` + table + ` where id in (select id from ` + table + ` order by id limit $1)
			returning id, micros, record) insert into log (room, micros, record) select $2, micros, record from moved order by id`
	}
	add(ownLog, deps.Postgres)
	for room, db := range deps.RoomsPostgres {
		add(room, db)
	}
	slices.Sort(m.rooms)
	return m
}

// run moves whenever this process has written, and now and then what dead
// processes left.
func (m *mover) run(ctx context.Context) {
	const idle = 2 * time.Second
	for {
		moved, err := m.move(ctx)
		if err != nil && ctx.Err() == nil {
			m.b.logger.Warn("events cannot be moved into the log", "error", err)
		}
		if moved > 0 {
			m.b.wake()
		}
		if err == nil && moved >= moveBatch {
			continue
		}
		if !pause(ctx, m.woken, idle) {
			return
		}
		if !pause(ctx, nil, m.b.cfg.gather) { // those that commit now share the next round
			return
		}
	}
}

// moveAll moves until less than a batch was there.
func (m *mover) moveAll(ctx context.Context) error {
	for {
		if moved, err := m.move(ctx); err != nil || moved < moveBatch {
			return err
		}
	}
}

// move moves one batch of each room, all in one transaction.
func (m *mover) move(ctx context.Context) (moved int64, err error) {
	err = m.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		moved = 0
		batch := &pgx.Batch{}
		batch.Queue("select pg_advisory_xact_lock($1)", int64(moveLock))
		for _, room := range m.rooms {
			batch.Queue(m.statements[room], moveBatch, room).Exec(func(tag pgconn.CommandTag) error {
				moved += tag.RowsAffected()
				return nil
			})
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	return moved, err
}

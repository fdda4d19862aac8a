package postgres

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/jackc/pgx/v5"
)

// The pause before a transaction is tried again: twice as long each time, and
// of random length, so that those that collided do not collide again.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 200 * time.Millisecond
)

// Write runs fn in a transaction and returns nil only after the commit.
//
// When fn returns an error or panics, its changes are undone and Write returns
// that error (a [PanicError] for a panic). When the server ends the transaction
// for the sake of another (see [IsConflict]), fn runs again in a new one, up to
// Config.MaxAttempts times: it must not keep anything of a run that may not
// count, and must return the server's error, wrapped or not. No other error is
// tried again.
//
// A ctx that ends stops the transaction at any point before its commit. What it
// carries for the outbox is told with the commit.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return db.WriteTx(ctx, pgx.TxOptions{}, fn)
}

// WriteTx is Write with options, such as a stricter isolation than the
// server's default, read committed.
func (db *DB) WriteTx(ctx context.Context, opts pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := db.once(ctx, opts, fn)
		if err == nil && outbox.From(ctx) != nil {
			db.Recorded()
		}
		if err == nil || attempt >= db.attempts || !IsConflict(err) {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause = min(2*pause, lastPause)
	}
}

func (db *DB) once(ctx context.Context, opts pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db.pool, opts, func(tx pgx.Tx) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		outbox.Restart(ctx)
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return Record(ctx, tx, outbox.From(ctx))
	})
}

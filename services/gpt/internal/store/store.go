// Package store keeps the ledger of attempts: one row per call of a provider,
// reserved before the call and settled exactly once after it.
package store

import (
	"context"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/durable"
)

// Store is the ledger. It is safe for concurrent use. What a write
// acknowledges is committed. Errors are *fault.Fault: STORE_UNAVAILABLE where
// trying again may help, INTERNAL otherwise.
type Store interface {
	// Reserve adds a row in state reserved, held by instance. The attempt's id
	// must be new; its settle fields are not read.
	Reserve(ctx context.Context, attempt *gptv1.Attempt, instance string) error

	// Checkpoint notes how far rows are that are still reserved, so that
	// SettleOrphans has it. Others are left alone. Keeping all or some of it is
	// up to the store where it fails.
	Checkpoint(ctx context.Context, progress []Progress) error

	// Settle closes the row with attempt's id: outcome, usage, cost, failure,
	// settle_time, the three durations and the provider's id are taken from attempt, everything
	// else stays. It returns true where this call closed it, and false where
	// there is no such row or it was closed before; then nothing is changed.
	Settle(ctx context.Context, attempt *gptv1.Attempt) (bool, error)

	// SettleWhole is Settle, but that it adds the row, closed and held by
	// instance, where there is none: for an attempt of whose reservation nobody
	// knows whether it was committed. It returns true where this call closed or
	// added the row.
	SettleWhole(ctx context.Context, attempt *gptv1.Attempt, instance string) (bool, error)

	// Usage sums settled rows of an owner by group and currency, in the order
	// of the groups' keys.
	Usage(ctx context.Context, query Query) ([]*gptv1.UsageGroup, error)

	// List returns rows, newest first.
	List(ctx context.Context, filter Filter) ([]*gptv1.Attempt, error)

	// Expire removes settled rows that were reserved before a time, at most limit,
	// the oldest first, and returns how many it removed.
	Expire(ctx context.Context, before time.Time, limit int) (int, error)

	// Beat says that instance is alive now, by the store's clock.
	Beat(ctx context.Context, instance string) error

	// Leave forgets instance, which holds no reserved rows any more.
	Leave(ctx context.Context, instance string) error

	// SettleOrphans closes every reserved row whose instance is dead, with
	// OUTCOME_UNKNOWN, the usage last noted marked partial and settle_time now,
	// and returns how many it closed. A shared store calls an instance dead
	// whose last beat is older than grace, or missing; rows of self are left
	// alone. A store that only one process may open calls every instance but
	// self dead.
	SettleOrphans(ctx context.Context, self string, grace time.Duration, now time.Time) (int, error)
}

// Deferring is a Store whose reservations need nobody to wait beside them.
type Deferring interface {
	Store

	// ReserveLater is Reserve, but that the caller waits by himself until the row
	// is committed. Nothing of attempt is kept. The row may be settled before that;
	// where its reservation then fails, Settle returns false.
	ReserveLater(ctx context.Context, attempt *gptv1.Attempt, instance string) (Reservation, error)
}

// Reservation is a row on its way. Its Wait returns when the row is committed. It
// is safe for concurrent use.
type Reservation interface {
	durable.Write

	// Failure is why there is no row, nil as long as none is known.
	Failure() error
}

// Filter selects rows. Zero fields select all.
type Filter struct {
	// Owner keeps rows of one owner. Required.
	Owner string
	// RequestID and SessionID keep rows of one request or session.
	RequestID, SessionID string
	// Provider and Model keep rows of one provider or model.
	Provider, Model string
	// SettledOnly leaves reserved rows out.
	SettledOnly bool
	// After keeps rows reserved at or after it, Before those reserved before
	// it.
	After, Before time.Time
	// Cursor keeps rows older than the row of this id.
	Cursor string
	// Limit is the most to return. Required.
	Limit int
}

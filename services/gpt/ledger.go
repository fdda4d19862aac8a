package gpt

import (
	"context"
	"errors"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// entryInLedger is a row on its way: reserved in the background while the
// provider is called, then settled once.
type entryInLedger struct {
	service  *Service
	row      *gptv1.Attempt
	reserved chan struct{}     // nil where it was reserved at once
	write    store.Reservation // where it was reserved at once, and nobody else waits for it
	err      error             // of the reservation; read after reserved is closed
	settled  bool              // or there is nothing to settle

	correlation string // of the call's events
}

// reserve begins to write a row. The write happens though the client leaves;
// where it fails, call is ended.
func (e *entryInLedger) reserve(ctx context.Context, s *Service, row *gptv1.Attempt, call *scope.Scope) {
	e.service, e.row = s, row
	if deferring, ok := s.store.(store.Deferring); ok {
		var err error
		if e.write, err = deferring.ReserveLater(ctx, row, s.instance); err != nil {
			e.err = ledgerDown(err)
			if ctx.Err() != nil && isContextError(err) {
				// The call ended in the ledger's queue: it was not made, and the
				// ledger is well.
				e.err, e.settled = err, true
			}
			call.Cancel(e.err)
		}
		return
	}
	// The row is written to while the call runs.
	copied := proto.Clone(row).(*gptv1.Attempt)
	e.reserved = make(chan struct{})
	go func() {
		defer close(e.reserved)
		ctx, stop := callctx.Lasting(ctx, s.cfg.Ledger.WriteTimeout)
		defer stop()
		if e.err = s.store.Reserve(ctx, copied, s.instance); e.err != nil {
			e.err = ledgerDown(e.err)
			call.Cancel(e.err)
		}
	}()
}

// safe returns when the end of this process cannot take the row any more, or ctx
// ends.
func (e *entryInLedger) safe(ctx context.Context) error {
	if e.write == nil || e.err != nil {
		return e.wait(ctx)
	}
	return reserved(ctx, e.write.Written(ctx))
}

// join leaves the waiting for the row to whoever waits for all rows of the turn, or
// waits until it is safe where there is nobody.
func (e *entryInLedger) join(ctx context.Context) error {
	if g := durable.From(ctx); g != nil && e.write != nil && e.err == nil {
		g.Add(e.write)
		return nil
	}
	return e.safe(ctx)
}

// wait returns when the row is committed, or ctx ends.
func (e *entryInLedger) wait(ctx context.Context) error {
	switch {
	case e.reserved != nil:
		select {
		case <-e.reserved:
			return e.err
		case <-ctx.Done():
		}
		select {
		case <-e.reserved:
			return e.err
		default:
			return ctx.Err()
		}
	case e.err != nil || e.write == nil:
		return e.err
	}
	return reserved(ctx, e.write.Wait(ctx))
}

// reserved is the error of waiting for a row.
func reserved(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return ledgerDown(err)
}

// settleAgain is the pause between tries while the store is away.
const settleAgain = 100 * time.Millisecond

// settle closes the row, whether the client is there or not. It waits for a
// reservation that is written beside, and tries until the write time is over. An error means that the row is tried again later, by settleLeft: the
// reservation too may have been committed though it failed. It is made with t, which
// is used once, or with another where that was.
func (e *entryInLedger) settle(ctx context.Context, t *settling) error {
	if e.reserved != nil {
		<-e.reserved
	}
	if e.settled {
		return nil
	}
	err := e.err
	if err == nil {
		err = e.settleNow(ctx, t)
	}
	if err != nil && !e.service.unsettled.add(e.row) {
		e.service.deps.Logger.ErrorContext(ctx, "too many attempts cannot be settled: one is left to the next start", "room", "gpt", "attempt_id", e.row.GetId())
	}
	return err
}

// settleNow closes a row whose reservation was written or is on its way.
func (e *entryInLedger) settleNow(ctx context.Context, t *settling) error {
	s := e.service
	if t.used {
		t = new(settling)
	}
	t.used = true
	t.lasting.Start(ctx, s.cfg.Ledger.WriteTimeout)
	defer t.lasting.Stop()
	ctx = &t.lasting
	record := t.record(ctx, s, e.row, e.correlation)
	told := t.place.With(ctx, record.Record())
	for {
		mine, err := s.store.Settle(told, e.row)
		if err == nil && !mine && e.write != nil && e.write.Failure() != nil {
			return ledgerDown(e.write.Failure())
		}
		if err == nil {
			record.Release()
			e.settled = true
			if !mine {
				s.deps.Logger.WarnContext(ctx, "an attempt was settled by somebody else", "room", "gpt", "attempt_id", e.row.GetId())
			}
			return nil
		}
		if ctx.Err() != nil || fault.From(err).Reason != meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE {
			s.metrics.unsettled.Inc()
			s.deps.Logger.ErrorContext(ctx, "an attempt cannot be settled", "room", "gpt", "attempt_id", e.row.GetId(), "error", err)
			return fault.AfterCall(fault.From(ledgerDown(err)))
		}
		timer := time.NewTimer(settleAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// isContextError reads the errors of stores too.
func isContextError(err error) bool {
	code := fault.From(err).Code
	return code == codes.Canceled || code == codes.DeadlineExceeded
}

// ledgerDown makes any error of the ledger one that clients may see.
func ledgerDown(err error) error {
	if f := (*fault.Fault)(nil); errors.As(err, &f) && f.Reason == meshv1.ErrorReason_ERROR_REASON_INTERNAL {
		return err
	}
	return fault.StoreUnavailable("gpt", err)
}

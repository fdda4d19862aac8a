package gpt

import (
	"context"
	"sync"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"google.golang.org/protobuf/proto"
)

const (
	// settleLeftEvery is how often rows are tried again that could not be closed
	// while their call ran.
	settleLeftEvery = time.Second

	// maxUnsettled bounds how many such rows are kept: about 10 MB.
	maxUnsettled = 10_000
)

// unsettled holds the ends of attempts that the store did not take in time, or
// whose reservation it may or may not have taken. Nobody else may close their
// rows while this process lives.
type unsettled struct {
	mu   sync.Mutex
	rows map[string]*gptv1.Attempt // by id; the last end of an attempt stands
}

// add keeps a row, and says whether there was room for it.
func (u *unsettled) add(row *gptv1.Attempt) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rows == nil {
		u.rows = map[string]*gptv1.Attempt{}
	}
	if _, known := u.rows[row.GetId()]; !known && len(u.rows) == maxUnsettled {
		return false
	}
	u.rows[row.GetId()] = proto.Clone(row).(*gptv1.Attempt)
	return true
}

// all returns the rows, which must not be changed.
func (u *unsettled) all() []*gptv1.Attempt {
	u.mu.Lock()
	defer u.mu.Unlock()
	rows := make([]*gptv1.Attempt, 0, len(u.rows))
	for _, row := range u.rows {
		rows = append(rows, row)
	}
	return rows
}

// remove forgets a row, but for a newer end of the same attempt.
func (u *unsettled) remove(row *gptv1.Attempt) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rows[row.GetId()] == row {
		delete(u.rows, row.GetId())
	}
}

// settleLeft closes what is left until ctx ends.
func (s *Service) settleLeft(ctx context.Context) {
	lifecycle.Every(ctx, settleLeftEvery, s.settleOnceMore)
}

// settleOnceMore tries each row that is left once, until the store is found to
// be away.
func (s *Service) settleOnceMore(ctx context.Context) {
	for _, row := range s.unsettled.all() {
		err := s.settleWhole(ctx, row)
		switch {
		case err == nil:
			s.unsettled.remove(row)
			s.deps.Logger.InfoContext(ctx, "an attempt is settled at last", "room", "gpt", "attempt_id", row.GetId())
		case ctx.Err() != nil, fault.From(err).Reason == meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, isContextError(err):
			return
		default:
			s.unsettled.remove(row) // the next start takes it for an orphan
			s.deps.Logger.ErrorContext(ctx, "an attempt can never be settled", "room", "gpt", "attempt_id", row.GetId(), "error", err)
		}
	}
}

func (s *Service) settleWhole(ctx context.Context, row *gptv1.Attempt) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Ledger.WriteTimeout)
	defer cancel()
	record := new(settling).record(ctx, s, row, "")
	_, err := s.store.SettleWhole(outbox.With(ctx, record.Record()), row, s.instance)
	return err
}

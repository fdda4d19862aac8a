package sqlite

import (
	"context"
	"strconv"
	"sync"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
)

// progress is what running attempts have used and the table does not have yet, by id.
// The store's mu guards it.
type progress map[string]store.Progress

// checkpointSQL stores what attempts have used: its argument is a list of lists in JSON, of
// each the id, tokens of input and output, and the cost.
const checkpointSQL = `UPDATE attempts SET input_tokens = used.value ->> 1, output_tokens = used.value ->> 2, cost_nanos = used.value ->> 3
	FROM json_each(CAST(? AS TEXT)) AS used WHERE attempts.id = used.value ->> 0 AND attempts.state = 1`

// lists are buffers for the argument of checkpointSQL.
var lists = sync.Pool{New: func() any { return new([]byte) }}

// maxList is the largest of them that is kept.
const maxList = 1 << 20

// Checkpoint implements store.Store. All reports go to the journal as one value; what the
// table is to have of them is asked for when it is written, after some seconds or when
// somebody reads: of an attempt the last report counts, and none once it is settled.
func (s *Store) Checkpoint(ctx context.Context, reports []store.Progress) error {
	list := lists.Get().(*[]byte)
	defer func() {
		if cap(*list) <= maxList {
			lists.Put(list)
		}
	}()
	*list = appendReports((*list)[:0], reports)
	stmt := sqlite.Stmt{Query: checkpointSQL, Args: []any{*list}}
	if s.db.Journaled() {
		s.note(reports)
		stmt.Key, stmt.Now = "checkpoints", s.unstored
	}
	later, err := s.db.Later(ctx, stmt)
	if err == nil {
		err = later.Wait(ctx)
	}
	return wrap(err)
}

// note keeps what is to be stored of reports. An attempt that has one runs for long: what is
// kept of it gets memory of its size.
func (s *Store) note(reports []store.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = progress{}
	}
	for _, p := range reports {
		s.used[p.ID] = p
		if r, mine := s.reserved[p.ID]; mine && !r.apart {
			r.kept, r.apart = r.kept.Apart(), true
			s.reserved[p.ID] = r
		}
	}
}

// unstored makes the statement that stores what was noted.
func (s *Store) unstored() (list []sqlite.Stmt, done func(stored bool)) {
	s.mu.Lock()
	reports := make([]store.Progress, 0, len(s.used))
	for _, p := range s.used {
		reports = append(reports, p)
	}
	s.mu.Unlock()
	if len(reports) == 0 {
		return nil, func(bool) {}
	}
	list = []sqlite.Stmt{{Query: checkpointSQL, Args: []any{appendReports(nil, reports)}}}
	return list, func(stored bool) {
		if !stored {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range reports {
			if s.used[p.ID] == p { // else there is a later one
				delete(s.used, p.ID)
			}
		}
	}
}

// appendReports appends what checkpointSQL takes.
func appendReports(dst []byte, reports []store.Progress) []byte {
	dst = append(dst, '[')
	for i, p := range reports {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonscan.AppendString(append(dst, '['), p.ID)
		for _, n := range [...]int64{p.InputTokens, p.OutputTokens, p.CostNanos} {
			dst = strconv.AppendInt(append(dst, ','), n, 10)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

package response

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// Bounds of one write of the journal, so that those who share its transaction
// do not wait long.
const (
	journalPieces = 64
	journalBytes  = 256 << 10
)

// journal stores what running answers have brought, for watchers in other
// processes and for the case that this one dies. It reads the logs beside
// those who write them: no chunk waits for it. Where the store is slow or away
// it falls behind, and the logs, bounded by max_answer_bytes each, are what it
// has to catch up with.
func (s *Service) journal() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.begun: // nothing runs: wait for what does
		case <-s.life.Done():
			return
		}
		for s.runningCount() > 0 {
			timer.Reset(s.cfg.JournalInterval)
			select {
			case <-timer.C:
			case <-s.life.Done():
				return
			}
			s.journalAll()
		}
	}
}

// journalAll stores what every answer that is old enough has brought.
func (s *Service) journalAll() {
	now := s.deps.Clock()
	s.mu.Lock()
	runs := make([]*run, 0, len(s.running))
	for _, r := range s.running {
		if now.Sub(r.begin) >= s.cfg.JournalInterval {
			r.users++
			runs = append(runs, r)
		}
	}
	s.mu.Unlock()
	var write journalWrite
	for _, r := range runs {
		for more := true; more; {
			if more = write.add(r); write.full() {
				s.journalNow(&write)
			}
		}
	}
	s.journalNow(&write)
	s.mu.Lock()
	for _, r := range runs {
		r.users--
	}
	s.mu.Unlock()
}

// journalWrite is one write in the making.
type journalWrite struct {
	pieces []store.Piece
	runs   []*run // of each piece
	size   int
}

// add takes the next piece of an answer, if there is one, and says whether
// there may be more.
func (w *journalWrite) add(r *run) bool {
	if r.log.Len() <= int(r.journaled) {
		return false
	}
	frames, count, err := r.log.From(int(r.journaled), journalBytes)
	if err != nil || count == 0 {
		return false // cannot be: the log packed it itself
	}
	r.journals.Store(true) // before the write: its end must remove it
	to := r.journaled + int64(count)
	w.pieces = append(w.pieces, store.Piece{ResponseID: r.id, First: r.journaled + 1, Last: to, Frames: frames})
	w.runs, w.size = append(w.runs, r), w.size+len(frames)
	r.journaled = to
	return r.log.Len() > int(to)
}

func (w *journalWrite) full() bool { return len(w.pieces) >= journalPieces || w.size >= journalBytes }

// journalNow carries out a write and empties it. What cannot be stored is taken
// again in the next round.
func (s *Service) journalNow(w *journalWrite) {
	if len(w.pieces) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(s.life, s.cfg.StoreTimeout)
	defer cancel()
	if err := s.store.Journal(ctx, w.pieces); err != nil {
		s.metrics.journal.WithLabelValues("failed").Add(float64(len(w.pieces)))
		for i, r := range w.runs {
			r.journaled = min(r.journaled, w.pieces[i].First-1)
		}
		if s.life.Err() == nil {
			s.deps.Logger.Warn("running answers cannot be journaled", "answers", len(w.pieces), "error", err)
		}
	} else {
		s.metrics.journal.WithLabelValues("stored").Add(float64(len(w.pieces)))
	}
	clear(w.pieces)
	clear(w.runs)
	w.pieces, w.runs, w.size = w.pieces[:0], w.runs[:0], 0
}

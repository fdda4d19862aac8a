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
	var write journalWrite
	for {
		select {
		case <-s.begun: // nothing runs: wait for what does
		case <-s.life.Done():
			return
		}
		for s.runningCount() > 0 {
			timer.Reset(s.journalPause(int(s.runningCount())))
			select {
			case <-timer.C:
			case <-s.life.Done():
				return
			}
			s.journalAll(&write)
		}
		write = journalWrite{} // what follows may be far away
	}
}

// Pieces in a second where JournalRate says nothing. A piece in PostgreSQL costs the
// server some 60 µs and 1 to 2 KB of its log; one in the embedded store 2 µs.
const journalRateShared, journalRateEmbedded = 1_000, 8_000

// journalPause is the pause between two rounds where so many answers run.
func (s *Service) journalPause(running int) time.Duration {
	rate := s.cfg.JournalRate
	switch {
	case rate > 0:
	case s.shared:
		rate = journalRateShared
	default:
		rate = journalRateEmbedded
	}
	return max(s.cfg.JournalInterval, time.Duration(running)*time.Second/time.Duration(rate))
}

// journalAll stores what every answer that is old enough has brought, by an empty
// write, which it leaves empty.
func (s *Service) journalAll(write *journalWrite) {
	now := s.deps.Clock()
	runs := s.readers(func(r *run) bool { return now.Sub(r.begin) >= s.cfg.JournalInterval })
	for _, r := range runs {
		for more := true; more; {
			if more = write.add(r); write.full() {
				s.journalNow(write)
			}
		}
	}
	s.journalNow(write)
	s.read(runs)
}

// readers are running answers whose logs may be read until read was called.
func (s *Service) readers(which func(*run) bool) []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := make([]*run, 0, len(s.running))
	for _, r := range s.running {
		if which(r) {
			r.users++
			runs = append(runs, r)
		}
	}
	return runs
}

func (s *Service) read(runs []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range runs {
		r.users--
	}
}

// inJournal says that pieces of an answer may be stored.
func (r *run) inJournal() bool { return r.journals.Load() == journaled }

// unstored implements store.Unstored.
func (s *Service) unstored(take func(store.Piece)) (done func(stored bool)) {
	s.storing.Lock()
	defer s.storing.Unlock()
	runs := s.readers((*run).inJournal)
	to, left := make([]int64, len(runs)), len(s.left)
	for _, p := range s.left {
		take(p)
	}
	var frames []byte
	for i, r := range runs {
		from := r.stored
		for r.log.Len() > int(from) {
			count, err := 0, error(nil)
			if frames, count, err = r.log.AppendFrom(frames[:0], int(from), journalBytes); err != nil || count == 0 {
				break // cannot be: the log packed it itself
			}
			take(store.Piece{ResponseID: r.id, First: from + 1, Last: from + int64(count), Frames: frames})
			from += int64(count)
		}
		to[i] = from
	}
	return func(stored bool) {
		s.storing.Lock()
		for i, r := range runs {
			if stored {
				r.stored = max(r.stored, to[i])
			}
		}
		if stored {
			s.left = s.left[min(left, len(s.left)):]
		}
		s.storing.Unlock()
		s.read(runs)
	}
}

// leave keeps what unstored would have handed out of an answer that does not run any
// more, and whose row still does: of as many pieces as there are ends that wait.
func (s *Service) leave(r *run) {
	if s.shared || !r.inJournal() {
		return
	}
	s.storing.Lock()
	defer s.storing.Unlock()
	for from := r.stored; r.log.Len() > int(from) && len(s.left) < cap(s.unsaved); {
		frames, count, err := r.log.AppendFrom(nil, int(from), journalBytes)
		if err != nil || count == 0 {
			return // cannot be: the log packed it itself
		}
		s.left = append(s.left, store.Piece{ResponseID: r.id, First: from + 1, Last: from + int64(count), Frames: frames})
		from += int64(count)
	}
}

// journalWrite is one write in the making. Its memory is used again for the next.
type journalWrite struct {
	pieces []store.Piece
	runs   []*run // of each piece
	frames []byte // of all pieces, one behind the other
	ends   []int  // of each piece in frames
}

// add takes the next piece of an answer, if there is one, and says whether
// there may be more.
func (w *journalWrite) add(r *run) bool {
	if r.log.Len() <= int(r.journaled) || r.journals.Load() == neverJournaled {
		return false
	}
	frames, count, err := r.log.AppendFrom(w.frames, int(r.journaled), journalBytes)
	if err != nil || count == 0 {
		return false // cannot be: the log packed it itself
	}
	if !r.journals.CompareAndSwap(unjournaled, journaled) && !r.inJournal() {
		return false // it has just ended, and would not remove it
	}
	to := r.journaled + int64(count)
	w.pieces = append(w.pieces, store.Piece{ResponseID: r.id, First: r.journaled + 1, Last: to})
	w.runs, w.frames, w.ends = append(w.runs, r), frames, append(w.ends, len(frames))
	r.journaled = to
	return r.log.Len() > int(to)
}

func (w *journalWrite) full() bool {
	return len(w.pieces) >= journalPieces || len(w.frames) >= journalBytes
}

// bound gives the pieces their frames, which do not move any more.
func (w *journalWrite) bound() []store.Piece {
	at := 0
	for i, end := range w.ends {
		w.pieces[i].Frames, at = w.frames[at:end:end], end
	}
	return w.pieces
}

// empty lets go of everything but memory for the next write.
func (w *journalWrite) empty() {
	clear(w.pieces)
	clear(w.runs)
	w.pieces, w.runs, w.frames, w.ends = w.pieces[:0], w.runs[:0], w.frames[:0], w.ends[:0]
	if cap(w.frames) > 4*journalBytes {
		w.frames = nil
	}
}

// journalNow carries out a write and empties it. What cannot be stored is taken
// again in the next round.
func (s *Service) journalNow(w *journalWrite) {
	if len(w.pieces) == 0 {
		return
	}
	defer w.empty()
	ctx, cancel := context.WithTimeout(s.life, s.cfg.StoreTimeout)
	defer cancel()
	if err := s.store.Journal(ctx, w.bound()); err != nil {
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
}

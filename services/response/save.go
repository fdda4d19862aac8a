package response

import (
	"context"
	"errors"
	"slices"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/gen/packing"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// save commits the end. Where it cannot, the answer becomes a failure, in f and
// for the client.
func (r *run) save(ctx context.Context, f *finishing) {
	var err error
	// A row that was not begun is added with its end.
	if f.whole = r.begun.Skip(); !f.whole {
		err = r.awaitBegin(ctx)
	}
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS) { // the row is none of this answer
		if f.failure == nil {
			r.fail(f, fault.AfterCall(fault.From(err)))
		}
		f.append = nil
		return
	}
	// A commit that failed may be one whose answer was lost: the end goes the way of one
	// that cannot be stored, and finds out.
	if f.unsure = err != nil; f.unsure {
		f.final.BegunBy = r.s.instance
	}
	if f.append != nil {
		if intendErr := f.intend(); intendErr != nil {
			r.fail(f, fault.Internal(intendErr))
		}
	}
	if frameErr := r.frame(f); frameErr != nil {
		err = frameErr
	} else if f.final.Journaled = !r.journals.CompareAndSwap(unjournaled, neverJournaled); !f.unsure {
		err = r.s.finish(ctx, f, &r.telling)
	}
	switch {
	case err == nil:
	case errors.Is(err, store.ErrExists):
		r.fail(f, alreadyExists(r.id))
	case errors.Is(err, store.ErrNotRunning):
		// Others took this process for dead, and said so to whoever asked.
		r.fail(f, interrupted(r.id, r.sequence))
	default:
		r.s.deps.Logger.Error("an answer cannot be stored", "response_id", r.id, "error", err)
		// What the model gave is kept for the store: whoever asks again gets it.
		r.s.leave(r)
		end := *f
		f.kept, f.lent, r.plain, r.runs = true, nil, nil, nil
		select {
		case r.s.unsaved <- &end:
		default: // the sweep will find the row running, and its process dead
		}
		switch {
		case !f.unsure:
			r.fail(f, fault.AfterCall(fault.From(storeFault(err, r.id))))
		case f.failure == nil:
			r.fail(f, fault.AfterCall(fault.From(err)))
		default:
			f.append = nil
		}
	}
}

// finish commits an end.
func (s *Service) finish(ctx context.Context, f *finishing, place *outbox.Place) error {
	record := s.ending(ctx, f.final.Response)
	ctx = place.With(ctx, record.Record())
	var err error
	if f.whole || f.unsure {
		err = s.store.Add(ctx, f.final, s.instance)
	}
	if !f.whole && (!f.unsure || errors.Is(err, store.ErrExists)) {
		err = s.store.Finish(ctx, f.final)
	}
	if err == nil {
		record.Release()
	}
	return err
}

// intend packs the append to the session. Where it is small, as most are, it lies in
// memory that is used again.
func (f *finishing) intend() error {
	size := f.append.PackedSize()
	if size > maxRuns {
		f.final.Intent = make([]byte, size)
		return packing.Into(f.final.Intent, f.append)
	}
	f.intent = intents.Get().(*[]byte)
	*f.intent = slices.Grow((*f.intent)[:0], size)[:size]
	f.final.Intent, f.final.IntentBorrowed = *f.intent, true
	return packing.Into(f.final.Intent, f.append)
}

// frame makes the log as it is stored.
func (r *run) frame(f *finishing) error {
	size := f.terminal.PackedSize()
	if r.log.Len() == 0 && r.ttl == 0 { // one chunk, which is marshalled where it stays
		if whole := answerlog.FrameSize(size); whole <= store.MaxPlain {
			room := plains.Get().(*[]byte)
			plain := store.PlainLog(*room, whole)
			plain = answerlog.AppendLength(plain, size)
			start := len(plain)
			plain = plain[:start+size] // for which there is room
			if err := packing.Into(plain[start:], f.terminal); err != nil {
				return err
			}
			*room, r.plain = plain, room
			f.final.Stored, f.final.Borrowed, f.last = plain, true, plain[start:]
			return nil
		}
	}
	if r.ttl == 0 {
		room := runLogs.Get().(*[]byte)
		var err error
		if f.end, f.runs, err = r.log.End(store.Runs((*room)[:0]), f.terminal); err != nil {
			return err
		}
		if f.runs {
			f.final.Texts, f.final.TextsEnd = f.end.Texts, f.end.TextsEnd
			f.final.Verbatim = f.end.Verbatim
			if f.final.Stored = f.end.Runs; len(f.end.Runs) <= maxRuns {
				*room, r.runs, f.final.Borrowed = f.end.Runs, room, true
			}
			return nil
		}
		runLogs.Put(room)
	}
	last := make([]byte, size)
	if err := packing.Into(last, f.terminal); err != nil {
		return err
	}
	f.last = last
	buffer := new([]byte)
	if r.ttl == 0 { // the cache would keep it
		buffer = logs.Get().(*[]byte)
		f.lent = buffer
	}
	frames, err := r.log.AppendFrames((*buffer)[:0])
	if err != nil {
		return fault.Internal(err)
	}
	f.final.Log = answerlog.Frames(frames, last)
	*buffer = f.final.Log
	return nil
}

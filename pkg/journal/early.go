package journal

import (
	"context"
	"time"
)

// flushAfter is how long records that were written without a flush wait for
// somebody who wants one.
const flushAfter = 5 * time.Millisecond

// Written returns when the record of a number, which is one of the flight, and all
// before it are in a file of the journal: the end of the process, however sudden, does
// not take them, a loss of power may until they are flushed, which begins within a
// few milliseconds. It waits for no disk, as a rule; where it has to, it is for the flush.
func (f *Flight) Written(ctx context.Context, sequence uint64) error {
	if f.journal != nil && f.journal.writeEarly(f, sequence) {
		return nil
	}
	return f.flushed(ctx)
}

// writeEarly writes the records of f ahead of their group, as far as there are any
// yet, and says whether that of a number, or the last there is, is in the file.
func (j *Journal) writeEarly(f *Flight, sequence uint64) bool {
	j.mu.Lock()
	written, possible := f.has(sequence), j.next == f && !j.closed && j.fits()
	if written && j.next == f && !j.relied && !j.closed {
		j.relied = true
		j.soon.Reset(j.after)
	}
	j.mu.Unlock()
	if written || !possible {
		return written
	}
	j.writes.Lock()
	defer j.writes.Unlock()
	j.mu.Lock()
	// Somebody else may have written it. Where its group was taken, it was written as
	// far as it could be, as nobody writes now.
	if written = f.has(sequence); written || j.next != f || j.closed || !j.fits() {
		j.mu.Unlock()
		return written
	}
	// More may be appended behind data meanwhile, but nobody takes the buffer.
	s, data, last := j.active, j.buffer[j.early:], f.last
	j.mu.Unlock()
	if j.pen.writeAt(s.file, data, s.size) != nil {
		return false // whoever waits for the group is told
	}
	j.mu.Lock()
	if !j.relied {
		j.relied = true
		j.soon.Reset(j.after)
	}
	s.size += int64(len(data))
	j.provide()
	j.early += len(data)
	f.written = last
	j.mu.Unlock()
	return true
}

// has says whether the record of a number, or the last there is, is in the file and
// none of its group is known to be missing. The journal's mu is held.
func (f *Flight) has(sequence uint64) bool { return min(sequence, f.last) <= f.written && !f.failed }

// flushEarly makes the loop flush what was written and nobody waits for.
func (j *Journal) flushEarly() {
	j.mu.Lock()
	begin := j.relied && !j.closed
	j.wanted = j.wanted || begin
	begin = begin && !j.busy
	j.mu.Unlock()
	if begin {
		j.flusher.ring()
	}
}

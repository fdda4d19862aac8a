package journal

import (
	"context"
	"time"
)

// flushAfter is how long records that were written without a flush wait for
// somebody who wants one.
const flushAfter = 5 * time.Millisecond

// Written returns when the records are in the journal's file: the end of the
// process, however sudden, does not take them, a loss of power may until they are
// flushed, which begins within a few milliseconds. It waits for no disk, as a rule;
// where it has to, it is Wait.
func (f *Flight) Written(ctx context.Context) error {
	if f.journal != nil && f.journal.writeEarly(f) {
		return nil
	}
	return f.Wait(ctx)
}

// writeEarly writes the records of f ahead of their group, and says whether they
// are in the file.
func (j *Journal) writeEarly(f *Flight) bool {
	j.mu.Lock()
	written, possible := f.written, j.next == f && !j.closed && j.fits()
	j.mu.Unlock()
	if written || !possible {
		return written
	}
	j.writes.Lock()
	defer j.writes.Unlock()
	j.mu.Lock()
	if j.next != f { // it was taken, and as nobody writes, it was written as far as it could be
		defer j.mu.Unlock()
		return f.written
	}
	if j.closed || !j.fits() {
		j.mu.Unlock()
		return false
	}
	// More may be appended behind data meanwhile, but nobody takes the buffer.
	s, data := j.active, j.buffer[j.early:]
	j.mu.Unlock()
	if len(data) == 0 {
		return true
	}
	if j.pen.writeAt(s.file, data, s.size) != nil {
		return false // whoever waits for the group is told
	}
	j.mu.Lock()
	if j.early == 0 {
		j.soon.Reset(flushAfter)
	}
	s.size += int64(len(data))
	j.early += len(data)
	j.mu.Unlock()
	return true
}

// flushEarly makes the loop flush what was written and nobody waits for.
func (j *Journal) flushEarly() {
	j.mu.Lock()
	begin := j.early > 0 && !j.closed
	j.wanted = j.wanted || begin
	begin = begin && !j.busy
	j.mu.Unlock()
	if begin {
		j.flusher.ring()
	}
}

package journal

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"time"
)

const (
	// maxBuffer is from which size records are written though nobody waits.
	maxBuffer = 1 << 20
	// mostWaiting is the size of the next group from which writers wait until it
	// is taken.
	mostWaiting = 2 << 20
	// prepareAfter is how long after Open the first segment is made.
	prepareAfter = 50 * time.Millisecond
	// maxKept is the largest buffer that is kept for reuse.
	maxKept = 4 << 20
	// fewRecords are at most in a group of one caller: a turn waits for three.
	fewRecords = 3
)

// outgoing is a group of records that is being written. There is one at a time;
// whoever took it owns the active segment until it has landed.
type outgoing struct {
	flight *Flight // nil while the first segment is made
	data   []byte
	slate  *slate // what data begins in
	early  int    // so many bytes of data are the last of the active segment
	// landing says that the data is in the file and the disk is to have it.
	landing bool
}

// take begins the next group, unless one is under way or there is none. j.writes
// and j.mu are held: until its data is written, nobody writes what comes behind it.
func (j *Journal) take() bool {
	if j.busy || j.next == nil {
		return false
	}
	j.busy, j.wanted = true, false
	j.out = outgoing{flight: j.next, data: j.buffer, slate: j.slate, early: j.early}
	if n := len(j.blank); n > 0 {
		j.slate, j.blank = j.blank[n-1], j.blank[:n-1]
		j.buffer = j.slate.room[:0]
	} else {
		j.slate, j.buffer, j.writing = nil, j.writing[:0], nil
	}
	j.early, j.relied = 0, false
	j.waiting.Store(0)
	j.newest, j.numbers = j.numbers, j.newest
	j.next = nil
	if j.taken != nil {
		close(j.taken)
		j.taken = nil
	}
	return true
}

// lead writes the group of f from the goroutine of its first waiter, which saves
// a lone one two changes of goroutines. What could hold it up is left to the loop:
// another group, a new segment, a flush that blocks.
func (j *Journal) lead(f *Flight) {
	j.mu.Lock()
	if j.next != f || j.closed {
		j.mu.Unlock()
		return
	}
	if j.busy { // who has that group goes on
		j.wanted = true
		j.mu.Unlock()
		return
	}
	if !j.fits() || !j.flusher.asynchronous() && !j.cfg.NoSync {
		j.wanted = true
		j.mu.Unlock()
		j.flusher.ring()
		return
	}
	j.mu.Unlock()
	j.writes.Lock()
	j.mu.Lock()
	switch {
	case j.next != f || j.closed:
	case j.busy, !j.fits():
		j.wanted = true
		if !j.busy {
			j.flusher.ring()
		}
	default:
		j.take()
		j.mu.Unlock()
		j.launch()
		return
	}
	j.mu.Unlock()
	j.writes.Unlock()
}

// fits says whether the next group can be written without a new segment. j.mu is held.
func (j *Journal) fits() bool {
	return j.active != nil && j.active.takes(int64(len(j.buffer)-j.early), j.cfg.Segment)
}

// loop sees groups land and goes on with the next, until Close.
func (j *Journal) loop() {
	defer close(j.over)
	defer j.flusher.close()
	// The first segment is made before somebody waits for it.
	early := time.AfterFunc(prepareAfter, j.prepare)
	defer early.Stop()
	defer j.soon.Stop()
	for {
		j.flusher.wait()
		for j.step() {
		}
		j.mu.Lock()
		over := j.closed && !j.busy && j.next == nil
		j.mu.Unlock()
		if over {
			return
		}
	}
}

// step does what can be done without waiting. It says whether there may be more.
func (j *Journal) step() bool {
	j.mu.Lock()
	landing := j.out.landing
	j.mu.Unlock()
	several := false
	if landing {
		landed, err := j.flusher.landed()
		if !landed {
			return false
		}
		several = j.out.flight.records > fewRecords
		j.land(err)
	}
	// Callers that are about to add get the processor once, where there were
	// several: it doubles their groups. A lone one would wait for work that has
	// nothing to do with it.
	if several {
		runtime.Gosched()
	}
	j.mu.Lock()
	more := j.isDue()
	j.mu.Unlock()
	if !more {
		return false
	}
	j.writes.Lock()
	j.mu.Lock()
	taken := j.isDue() && j.take()
	j.mu.Unlock()
	if !taken {
		j.writes.Unlock()
		return false
	}
	j.launch()
	return true
}

// isDue says whether somebody waits for the next group. j.mu is held.
func (j *Journal) isDue() bool { return j.wanted || j.closed || len(j.buffer) > maxBuffer }

// launch writes the group that was taken and begins its flush. j.writes is held,
// and let go of.
func (j *Journal) launch() {
	err := j.write()
	j.writes.Unlock()
	if err != nil || j.cfg.NoSync {
		j.land(err)
		j.goOn()
		return
	}
	j.mu.Lock()
	j.out.landing = true // from here on the loop may see it land
	file := j.active.file
	j.mu.Unlock()
	if j.flusher.submit(file) {
		return
	}
	j.land(flush(file))
	j.goOn()
}

// write appends what is not there yet of the group's data to the active segment.
func (j *Journal) write() error {
	data := j.out.data[j.out.early:]
	s, fresh, err := j.room(int64(len(data)))
	if err != nil {
		return err
	}
	if fresh { // the old one is not flushed again
		data = j.out.data
	}
	if len(data) > 0 {
		if err := j.pen.writeAt(s.file, data, s.size); err != nil {
			return err
		}
	}
	j.mu.Lock()
	s.size += int64(len(data))
	j.provide()
	j.out.flight.written = j.out.flight.last
	j.mu.Unlock()
	return nil
}

// land answers for the group. After an error the segment is not written to
// again: nobody can say what of it is on the disk.
func (j *Journal) land(err error) {
	if err != nil {
		j.writes.Lock()
		defer j.writes.Unlock()
	}
	j.mu.Lock()
	out := j.out
	if s := j.active; s != nil {
		// Records whose writing failed may be found after all.
		maps.Copy(s.last, j.numbers)
		if err != nil && j.early > 0 { // those of the next group too, which goes to another one
			maps.Copy(s.last, j.newest)
			j.next.written, j.wanted = 0, true
		}
	}
	clear(j.numbers)
	if err != nil {
		err = fmt.Errorf("journal: %w", err)
		out.flight.failed = true
		j.active, j.early = nil, 0
		j.stained = j.stained || out.slate != nil // it is not used again
		j.recycle()
	} else {
		if out.slate != nil {
			out.slate.wipe()
			j.blank = append(j.blank, out.slate)
		}
		j.stats.Records += out.flight.records
		j.stats.Flushes++
		j.stats.Bytes += uint64(len(out.data))
	}
	if !out.slate.holds(out.data) && cap(out.data) <= maxKept {
		j.writing = out.data
	}
	j.out, j.busy = outgoing{}, false
	j.mu.Unlock()
	out.flight.err = err
	close(out.flight.done)
	out.flight.late.end()
}

// goOn lets the loop go on with what somebody waits for.
func (j *Journal) goOn() {
	j.mu.Lock()
	more := j.isDue()
	j.mu.Unlock()
	if more {
		j.flusher.ring()
	}
}

// prepare makes the first segment, and the slates.
func (j *Journal) prepare() {
	j.mu.Lock()
	if j.slated && !j.closed {
		j.slated = false
		j.providing.Go(j.openSlates)
	}
	j.mu.Unlock()
	j.writes.Lock()
	defer j.writes.Unlock()
	j.mu.Lock()
	if j.busy || j.closed {
		j.mu.Unlock()
		return
	}
	j.busy = true
	j.mu.Unlock()
	_, _, _ = j.room(0) // what fails now fails again when it is needed, and is told then
	j.mu.Lock()
	j.busy = false
	j.mu.Unlock()
	j.goOn()
}

// room returns the segment that takes size more bytes, and whether it was not the
// active one until now. j.writes is held.
func (j *Journal) room(size int64) (_ *segment, fresh bool, _ error) {
	j.mu.Lock()
	if s := j.active; s != nil && s.takes(size, j.cfg.Segment) {
		j.mu.Unlock()
		return s, false, nil
	}
	if s := j.active; s != nil && j.out.early > 0 { // it has them until the other one does
		maps.Copy(s.last, j.numbers)
	}
	// The full one may be free already.
	j.active = nil
	j.recycle()
	var s *segment
	if n := len(j.spare); n > 0 {
		s, j.spare = j.spare[n-1], j.spare[:n-1]
	} else {
		s = j.number()
	}
	var extra []*segment
	if len(j.spare) > j.cfg.Spare {
		extra = append(extra, j.spare[j.cfg.Spare:]...)
		j.spare = j.spare[:j.cfg.Spare]
	}
	j.mu.Unlock()
	for _, old := range extra {
		if old.file != nil {
			_ = old.file.Close()
		}
		_ = os.Remove(segmentPath(j.cfg.Dir, old.number))
	}
	s.size, s.provided = 0, false
	if s.file == nil {
		f, err := j.cfg.open(j.cfg.Dir, s.number, j.cfg.Segment)
		if err != nil {
			j.mu.Lock()
			j.spare = append(j.spare, s)
			j.mu.Unlock()
			return nil, false, err
		}
		s.file = f
	}
	j.mu.Lock()
	j.active = s
	j.used = append(j.used, s)
	j.mu.Unlock()
	return s, true, nil
}

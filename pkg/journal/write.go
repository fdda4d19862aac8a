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
	// prepareAfter is how long after Open the first segment is made.
	prepareAfter = 50 * time.Millisecond
	// maxKept is the largest buffer that is kept for reuse.
	maxKept = 4 << 20
	// fewRecords are at most in a group of one caller: a turn waits for three.
	fewRecords = 3
)

// loop writes groups until Close.
func (j *Journal) loop() {
	defer close(j.over)
	defer j.flusher.close()
	// The first segment is made before somebody waits for it.
	early := time.NewTimer(prepareAfter)
	defer early.Stop()
	for {
		select {
		case <-early.C:
			_, _ = j.room(0) // what fails now fails again when it is needed, and is told then
			continue
		case <-j.wake:
		case <-j.stop:
			j.group() // what was added before
			return
		}
		// Callers that are about to add get the processor once, where there were
		// several: it doubles their groups. A lone one would wait for work that has
		// nothing to do with it.
		if j.busy {
			runtime.Gosched()
		}
		j.group()
	}
}

// group writes what is in the buffer and answers for it.
func (j *Journal) group() {
	j.mu.Lock()
	f := j.next
	if f == nil {
		j.mu.Unlock()
		return
	}
	data := j.buffer
	j.buffer, j.writing = j.writing[:0], nil
	j.newest, j.numbers = j.numbers, j.newest
	j.next = nil
	j.mu.Unlock()

	j.busy = f.records > fewRecords
	f.err = j.write(data)
	j.mu.Lock()
	if f.err == nil {
		j.stats.Records += f.records
		j.stats.Flushes++
		j.stats.Bytes += uint64(len(data))
	}
	clear(j.numbers)
	j.mu.Unlock()
	close(f.done)
	if cap(data) <= maxKept {
		j.writing = data
	}
}

// write appends data to the active segment and flushes it. After an error the
// segment is not written to again: nobody can say what of it is on the disk.
func (j *Journal) write(data []byte) error {
	s, err := j.room(int64(len(data)))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	_, err = s.file.WriteAt(data, s.size)
	if err == nil && !j.cfg.NoSync {
		err = j.flusher.flush(s.file)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	// Records whose writing failed may be found after all.
	maps.Copy(s.last, j.numbers)
	if err != nil {
		j.active = nil
		j.recycle()
		return fmt.Errorf("journal: %w", err)
	}
	s.size += int64(len(data))
	return nil
}

// room returns the segment that takes size more bytes.
func (j *Journal) room(size int64) (*segment, error) {
	j.mu.Lock()
	if s := j.active; s != nil && (s.size == 0 || s.size+size <= j.cfg.Segment) {
		j.mu.Unlock()
		return s, nil
	}
	// The full one may be free already.
	j.active = nil
	j.recycle()
	var s *segment
	if n := len(j.spare); n > 0 {
		s, j.spare = j.spare[n-1], j.spare[:n-1]
	} else {
		j.highest++
		s = &segment{number: j.highest, last: map[string]uint64{}}
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
	s.size = 0
	if s.file == nil {
		f, err := j.cfg.open(j.cfg.Dir, s.number, j.cfg.Segment)
		if err != nil {
			j.mu.Lock()
			j.spare = append(j.spare, s)
			j.mu.Unlock()
			return nil, err
		}
		s.file = f
	}
	j.mu.Lock()
	j.active = s
	j.used = append(j.used, s)
	j.mu.Unlock()
	return s, nil
}

package journal

// provide makes the segment that will be the next, where there is none to be used
// again, when the active one is half full: whoever needs it then waits neither for
// its file to be filled nor for that to reach the disk. It is tried once for each
// segment. j.mu is held.
func (j *Journal) provide() {
	s := j.active
	if s == nil || s.provided || j.closed || s.size < j.cfg.Segment/2 {
		return
	}
	s.provided = true
	n := len(j.spare)
	if n > 0 && j.spare[n-1].file != nil {
		return
	}
	var next *segment
	if n > 0 { // it was left by an earlier process
		next, j.spare = j.spare[n-1], j.spare[:n-1]
	} else {
		next = j.number()
	}
	j.providing.Go(func() {
		f, err := j.cfg.open(j.cfg.Dir, next.number, j.cfg.Segment)
		j.mu.Lock()
		defer j.mu.Unlock()
		if err == nil { // else it fails again when it is needed, and is told then
			next.file = f
		}
		j.spare = append(j.spare, next)
	})
}

// number returns a segment that is new. j.mu is held.
func (j *Journal) number() *segment {
	j.highest++
	return &segment{number: j.highest, last: map[string]uint64{}}
}

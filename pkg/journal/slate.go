package journal

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// slate is memory that the records of a group are gathered in, and a file as well: what
// stands there is not lost with the process. It is not flushed, and says nothing that
// no segment says once the group is on the disk.
type slate struct{ room []byte }

// slateSize is how much of a group a slate has room for. What is behind that lies in
// memory alone.
const slateSize = 1 << 20

// slateRest is how much of a slate is left when a group goes on in memory that is there.
const slateRest = 32 << 10

// slateNames are the files of the slates: one for the group that is gathered, one for
// that which is written. They stand before all segments, so that whoever copies a
// folder misses no record that moves from the one into the other.
var slateNames = [2]string{"000000.first", "000000.second"}

// holds says whether all of a buffer lies in the slate.
func (s *slate) holds(buffer []byte) bool {
	return s != nil && cap(buffer) > 0 && &buffer[:1][0] == &s.room[0]
}

// wipe makes the slate have no record.
func (s *slate) wipe() { clear(s.room[:headSize]) }

// openSlates makes the slates ready, unless they cannot be had or are still needed as
// they are: groups are gathered in memory alone then.
func (j *Journal) openSlates() {
	var slates []*slate
	for _, name := range slateNames {
		if s, err := openSlate(filepath.Join(j.cfg.Dir, name)); err == nil {
			s.wipe()
			slates = append(slates, s)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.slates, j.blank = slates, append(j.blank, slates...)
}

// closeSlates removes the slates. Where a group did not reach the disk, they are left
// for the next start. j.mu is held.
func (j *Journal) closeSlates() error {
	if len(j.slates) == 0 {
		return nil
	}
	var errs []error
	for _, s := range j.slates {
		errs = append(errs, s.close())
	}
	j.slates, j.blank, j.slate, j.buffer = nil, nil, nil, nil
	if j.stained {
		return errors.Join(errs...)
	}
	for _, name := range slateNames {
		if err := os.Remove(filepath.Join(j.cfg.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// readSlates adds what slates have and segments have not.
func (f *found) readSlates(dir string) error {
	there := map[uint64]bool{}
	for _, records := range f.records {
		for _, r := range records {
			there[r.Sequence] = true
		}
	}
	for _, name := range slateNames {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		records, _ := scan(data)
		for _, r := range records {
			if there[r.Sequence] {
				continue
			}
			there[r.Sequence] = true
			f.slates = append(f.slates, r)
			f.records[r.Store] = append(f.records[r.Store], r)
			f.last = max(f.last, r.Sequence)
		}
	}
	slices.SortFunc(f.slates, func(a, b Record) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return nil
}

// carry moves what only slates have into a segment of its own, so that they can be
// used again.
func (f *found) carry(dir string) error {
	if len(f.slates) == 0 {
		return nil
	}
	s := &segment{number: f.highest + 1, last: map[string]uint64{}}
	var data []byte
	for _, r := range f.slates {
		data = appendRecord(data, r.Sequence, r.Replaces, r.Store, bytesOf(r.Body))
		s.last[r.Store] = r.Sequence
	}
	f.highest = s.number
	file, err := create(dir, s.number, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	if err == nil {
		err = flush(file)
	}
	if err = errors.Join(err, file.Close()); err == nil {
		f.segments = append(f.segments, s)
	}
	return err
}

// bytesOf is a Body that is there.
type bytesOf []byte

func (b bytesOf) Size() int { return len(b) }

func (b bytesOf) AppendTo(dst []byte) []byte { return append(dst, b...) }

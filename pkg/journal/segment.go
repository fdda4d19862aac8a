package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// file is what the journal needs of a file.
type file interface {
	WriteAt(p []byte, at int64) (int, error)
	Close() error
}

// segment is one file of the journal.
type segment struct {
	number   int
	file     file // nil until it is made
	size     int64
	provided bool              // the one behind it was seen to; guarded by the journal's mu
	last     map[string]uint64 // of each store, the highest number in here
}

// takes says whether size more bytes belong into the segment. One larger than
// room goes into a segment of its own.
func (s *segment) takes(size, room int64) bool { return s.size == 0 || s.size+size <= room }

func segmentPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%06d.journal", number))
}

// segments lists the numbers of the segments that are there.
func segments(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".journal")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// load reads the records of one segment.
func (f *found) load(path string) ([]Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	records, end := scan(data)
	if n := len(records); n > 0 {
		f.inspect(path, data, end, records[n-1].Sequence)
	} else {
		f.blind = append(f.blind, path)
	}
	return records, nil
}

// scan reads records up to the first that is none, which begins at end.
func scan(data []byte) (records []Record, end int) {
	last := uint64(0)
	for {
		record, size := parse(data[end:], last)
		if size == 0 {
			return records, end
		}
		records, last = append(records, record), record.Sequence
		end += size
	}
}

// create makes a segment's file with room in it, so that a flush of what is
// written to it need not change the file's size.
func create(dir string, number int, room int64) (file, error) {
	path := segmentPath(dir, number)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = fill(f, room)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// fill writes zeros where the file is shorter than room.
func fill(f *os.File, room int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 256<<10)
	for at := info.Size(); at < room; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), room-at)], at); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// found is what a folder of segments holds.
type found struct {
	records  map[string][]Record // by store, in order
	segments []*segment
	slates   []Record // of them those that no segment has
	last     uint64
	highest  int // number of a segment
	damaged  []Damage
	blind    []string // segments whose first record cannot be read
}

// read reads all segments of dir, and the slates.
func read(dir string) (*found, error) {
	numbers, err := segments(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f := &found{records: map[string][]Record{}}
	for _, number := range numbers {
		records, err := f.load(segmentPath(dir, number))
		if err != nil {
			return nil, err
		}
		s := &segment{number: number, last: map[string]uint64{}}
		for _, r := range records {
			s.last[r.Store] = r.Sequence
			f.records[r.Store] = append(f.records[r.Store], r)
			f.last = max(f.last, r.Sequence)
		}
		f.segments, f.highest = append(f.segments, s), max(f.highest, number)
	}
	// What stands there may be of an earlier use, and is then older than the rest.
	for _, path := range f.blind {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f.inspect(path, data, 0, f.last)
	}
	if err := f.readSlates(dir); err != nil {
		return nil, err
	}
	for store, records := range f.records {
		slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.Sequence, b.Sequence) })
		// What was written early may have been written again into the next segment.
		f.records[store] = slices.CompactFunc(records, func(a, b Record) bool { return a.Sequence == b.Sequence })
	}
	return f, nil
}

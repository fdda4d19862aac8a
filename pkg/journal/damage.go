package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Damage says that a segment has a record that cannot be read, and newer ones behind
// it, which are left out: without those before them they do not say what was promised.
// A loss of power leaves that of a group that nobody was told of; anything else has
// harmed what was acknowledged.
type Damage struct {
	// Path is the segment, At where in it the record begins.
	Path string
	At   int
	// After is the number of the last record before it, Left that of the first one
	// that was left out.
	After, Left uint64
	// Copy is where the segment was copied to, as it was found.
	Copy string
	// Err says why it could not be.
	Err error
}

// Damaged returns what Open found to be damaged.
func (j *Journal) Damaged() []Damage { return j.damaged }

// nextBehind finds a record behind one that cannot be read whose number is higher
// than after. What an earlier use has left in a segment has lower ones.
func nextBehind(data []byte, after uint64) (sequence uint64, ok bool) {
	for at := 1; at+headSize < len(data); at++ {
		head := data[at:]
		// The highest bytes of a number and of a length are 0 as a rule, and a zeroed
		// rest has no numbers: sums are made of few.
		n := binary.LittleEndian.Uint64(head[8:])
		if n <= after || n>>56 != 0 || head[24] == 0 || binary.LittleEndian.Uint64(head[16:]) >= n {
			continue
		}
		if record, size := parse(head, after); size > 0 {
			return record.Sequence, true
		}
	}
	return 0, false
}

// inspect looks for newer records behind the first that cannot be read, and keeps a
// copy of a segment that has some: the file is written over.
func (f *found) inspect(path string, data []byte, at int, after uint64) {
	left, ok := nextBehind(data[at:], after)
	if !ok {
		return
	}
	d := Damage{Path: path, At: at, After: after, Left: left, Copy: fmt.Sprintf("%s.damaged-%d", path, after)}
	if d.Err = keep(d.Copy, data); d.Err != nil {
		d.Copy = ""
	}
	f.damaged = append(f.damaged, d)
}

// keep writes a file unless it is there.
func keep(path string, data []byte) error {
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, data) {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		return syncDir(filepath.Dir(path))
	}
	if rm := os.Remove(path); !errors.Is(rm, fs.ErrNotExist) { // half a copy is none
		err = errors.Join(err, rm)
	}
	return err
}

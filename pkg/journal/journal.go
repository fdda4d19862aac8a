package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// ErrClosed answers a record that comes after Close.
var ErrClosed = errors.New("journal: closed")

// Defaults of [Config].
const (
	DefaultSegment = 8 << 20
	DefaultSpare   = 4
)

// Config says where a journal is.
type Config struct {
	// Dir is its folder; made where it is missing. Required.
	Dir string
	// Segment is the size of a segment in bytes. Default DefaultSegment.
	Segment int64
	// Spare is how many segments without records are kept for reuse. Default
	// DefaultSpare.
	Spare int
	// Behind acknowledges records that are written, and flushes them within a few
	// milliseconds: the end of the process does not take what was acknowledged, a
	// loss of power may.
	Behind bool
	// NoSync leaves out the flush to the disk: a loss of power may take what was
	// acknowledged. For tests.
	NoSync bool

	open func(dir string, number int, room int64) (file, error) // nil means create
}

// Journal is an open journal. It is safe for concurrent use. One process at a
// time may open a folder; package datadir sees to that.
type Journal struct {
	cfg     Config
	flusher *flusher
	over    chan struct{} // closed when the loop has ended
	damaged []Damage
	soon    *time.Timer   // of records that were written and are not flushed
	after   time.Duration // what soon waits for

	writes sync.Mutex // of whoever writes to the active segment; taken before mu
	pen    pen

	mu      sync.Mutex
	last    uint64       // the last number given
	buffer  []byte       // records of the next group
	waiting atomic.Int64 // len(buffer), for Admit
	early   int          // so many bytes of buffer are the last of the active segment
	relied  bool         // somebody goes on since records of buffer are safe from the end of the process
	slate   *slate       // what buffer begins in; nil for none
	blank   []*slate
	slates  []*slate // all of them, once they are open
	slated  bool     // they are to be opened
	stained bool     // one has records that did not reach the disk, and is not used any more
	newest  map[string]uint64
	next    *Flight // of the records in buffer; nil where there are none
	closed  bool
	taken   chan struct{}       // closed when the records in buffer are taken; nil while nobody waits for it
	left    map[string][]Record // of the time before, by store, until taken
	applied map[string]uint64
	used    []*segment // with records that some store may lack
	spare   []*segment

	busy    bool              // a group is being written
	out     outgoing          // that group; changed by whoever took it
	wanted  bool              // somebody waits for next, and the loop is to go on with it
	writing []byte            // room for the next buffer
	numbers map[string]uint64 // newest of what is being written
	active  *segment          // changed by whoever took a group and writes
	highest int               // number of a segment
	stats   Stats

	providing sync.WaitGroup // of those who make the next segment
}

// Stats counts what a Journal has done since it was opened.
type Stats struct {
	// Records is the number of records written, Flushes that of flushes they
	// took.
	Records, Flushes uint64
	// Bytes is the size of those records.
	Bytes uint64
	// Segments is the number of files with records that a store may still lack.
	Segments int
}

// Flight is a group of records on their way to the disk.
type Flight struct {
	journal *Journal
	done    chan struct{}
	records uint64
	last    uint64 // the number of its last record; guarded by the journal's mu
	written uint64 // its records up to this number are in a file; guarded by the journal's mu
	failed  bool   // it is known not to become durable; guarded likewise
	err     error  // read after done is closed
	late    late
}

// Wait returns nil when the records that the flight has by now are durable, with
// Config.Behind when they are written; an error when they are not, or that of ctx. One who waits with a context that time alone ends (scope.Apart) may
// wait until that time though it is cancelled.
func (f *Flight) Wait(ctx context.Context) error {
	if f.journal != nil && f.journal.cfg.Behind && f.journal.writeEarly(f, math.MaxUint64) {
		return nil
	}
	return f.flushed(ctx)
}

// Over says whether the flight has come to its end: Wait would not wait.
func (f *Flight) Over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// flushed is Wait, but that nothing less than a flush will do.
func (f *Flight) flushed(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	default:
	}
	// Records that nobody waits for yet go with those that somebody does: a caller
	// who writes several and waits for the last takes one flush.
	f.journal.lead(f)
	if due, ok := scope.EndsAt(ctx); ok {
		return f.waitUntil(ctx, due)
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Open opens the journal and reads what an earlier process left in it. Close
// must be called.
func Open(cfg Config) (*Journal, error) { return open(cfg, nil) }

// open is Open with a change to the flusher.
func open(cfg Config, change func(*flusher)) (*Journal, error) {
	if cfg.Segment <= 0 {
		cfg.Segment = DefaultSegment
	}
	if cfg.Spare <= 0 {
		cfg.Spare = DefaultSpare
	}
	slates := cfg.open == nil
	if slates {
		cfg.open = create
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	f, err := read(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if slates {
		slates = f.carry(cfg.Dir) == nil // else they are needed as they are
	}
	j := &Journal{
		cfg: cfg, over: make(chan struct{}), damaged: f.damaged,
		left: f.records, applied: map[string]uint64{}, newest: map[string]uint64{}, numbers: map[string]uint64{},
		highest: f.highest, flusher: newFlusher(),
		// A store that lost its journal must not take new records for old: numbers
		// go on by the clock, and past all that are known.
		last: max(f.last, uint64(time.Now().UnixMicro())),
	}
	for _, s := range f.segments {
		if len(s.last) > 0 {
			j.used = append(j.used, s)
		} else {
			j.spare = append(j.spare, s)
		}
	}
	if change != nil {
		change(j.flusher)
	}
	j.soon, j.after = time.AfterFunc(time.Hour, j.flushEarly), flushAfter
	j.soon.Stop()
	j.slated = slates
	go j.loop()
	return j, nil
}

// Attach tells the journal how far a store has come: it has every record up to
// and with position. It returns those that the store lacks, in order; the store
// says with Applied when it has them. Records that were replaced by others are
// left out. It must be called once per store, before its first Append.
func (j *Journal) Attach(store string, position uint64) []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last = max(j.last, position)
	records := j.left[store]
	delete(j.left, store)
	replaced := map[uint64]bool{}
	for _, r := range records {
		if r.Sequence > position && r.Replaces > 0 {
			replaced[r.Replaces] = true
		}
	}
	var lacking []Record
	for _, r := range records {
		if r.Sequence > position && !replaced[r.Sequence] {
			lacking = append(lacking, r)
		}
	}
	j.applied[store] = position
	j.recycle()
	return lacking
}

// Admit returns when there is room for records, which is so unless the disk is slower
// than those who write: what they leave waiting is memory. After an error, that of
// ctx, there is none. Append does not ask.
func (j *Journal) Admit(ctx context.Context) error {
	// Without the lock: thousands ask at once, and whoever has it would wait behind
	// all of them for the next time.
	for j.waiting.Load() >= mostWaiting {
		j.mu.Lock()
		if len(j.buffer) < mostWaiting || j.closed {
			j.mu.Unlock()
			return nil
		}
		if j.taken == nil {
			j.taken = make(chan struct{})
		}
		taken := j.taken
		j.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Append adds a record and returns its number and the group that it goes to the
// disk with, as soon as somebody waits for one of the group. Records of one store must be added in their order; they become
// durable in the order of their numbers. The body is not kept.
func (j *Journal) Append(store string, replaces uint64, body Body) (uint64, *Flight) {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		f := &Flight{done: make(chan struct{}), err: ErrClosed}
		close(f.done)
		return 0, f
	}
	j.last++
	sequence := j.last
	j.makeRoom(headSize + len(store) + body.Size())
	j.buffer = appendRecord(j.buffer, sequence, replaces, store, body)
	j.waiting.Store(int64(len(j.buffer)))
	j.newest[store] = sequence
	f := j.next
	if f == nil {
		f = &Flight{journal: j, done: make(chan struct{})}
		j.next = f
	}
	f.records++
	f.last = sequence
	if j.slate.holds(j.buffer) {
		f.written = sequence
	}
	large := len(j.buffer) > maxBuffer && !j.busy
	j.mu.Unlock()
	if large {
		j.flusher.ring()
	}
	return sequence, f
}

// makeRoom makes room for a record in the next group: what does not lie in the slate any
// more grows once, to the size at which writers wait. j.mu is held.
func (j *Journal) makeRoom(size int) {
	rest, need := cap(j.buffer)-len(j.buffer), len(j.buffer)+size
	switch slated := j.slate.holds(j.buffer); {
	case slated && rest < max(slateRest, size) && cap(j.writing) >= max(slateSize+1, need):
		j.buffer, j.writing = append(j.writing[:0], j.buffer...), nil
	case rest < size && len(j.buffer) > maxBuffer/2:
		j.buffer = append(make([]byte, 0, max(mostWaiting+mostWaiting/4, need+need/4)), j.buffer...)
	}
}

// Applied says that a store has every record of its own up to and with
// position.
func (j *Journal) Applied(store string, position uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if position > j.applied[store] {
		j.applied[store] = position
		j.recycle()
	}
}

// recycle lets go of segments whose records are all part of their stores.
// j.mu is held.
func (j *Journal) recycle() {
	kept := j.used[:0]
	for _, s := range j.used {
		if j.needs(s) {
			kept = append(kept, s)
			continue
		}
		clear(s.last)
		j.spare = append(j.spare, s)
	}
	clear(j.used[len(kept):])
	j.used = kept
}

func (j *Journal) needs(s *segment) bool {
	if s == j.active {
		return true
	}
	for store, last := range s.last {
		if applied, known := j.applied[store]; !known || applied < last {
			return true
		}
	}
	return false
}

// Stats returns the counters.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Segments = len(j.used)
	return s
}

// Close writes what was added and closes the files. Segments without records
// that a store lacks are removed. It may be called more than once.
func (j *Journal) Close() error {
	j.mu.Lock()
	first := !j.closed
	j.closed = true
	j.mu.Unlock()
	if first {
		j.flusher.ring()
	}
	<-j.over
	j.providing.Wait() // nobody begins when it is closed
	j.mu.Lock()
	defer j.mu.Unlock()
	active := j.active
	j.active = nil
	j.recycle()
	var errs []error
	for _, s := range append(j.used, j.spare...) {
		if s.file != nil {
			errs = append(errs, s.file.Close())
			s.file = nil
		}
	}
	if active != nil && active.file != nil {
		errs = append(errs, active.file.Close())
	}
	for _, s := range j.spare {
		if err := os.Remove(segmentPath(j.cfg.Dir, s.number)); !errors.Is(err, fs.ErrNotExist) { // one may never have been made
			errs = append(errs, err)
		}
	}
	j.spare = nil
	return errors.Join(append(errs, j.closeSlates())...)
}

package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// flushless is a journal that begins no flush.
func flushless(t *testing.T, cfg Config) *Journal {
	t.Helper()
	j := start(t, cfg)
	j.Attach("a", 0)
	add(t, j, "a", 0, "first") // a segment is there
	j.soon.Stop()
	return j
}

func written(t *testing.T, j *Journal, body string) (uint64, *Flight) {
	t.Helper()
	n, f := j.Append("a", 0, text(body))
	if err := f.Written(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n, f
}

func TestWrittenIsThereWithoutAFlush(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := flushless(t, Config{Dir: dir, open: create}) // without slates
	j.after = time.Hour
	second, f := written(t, j, "second")
	third, _ := j.Append("a", 0, text("third"))
	if err := f.Written(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if got := bodies(start(t, Config{Dir: cut(t, dir)}).Attach("a", 0)); got != "first second" {
		t.Errorf("%q", got)
	}
	if err := f.Written(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	if got := bodies(start(t, Config{Dir: cut(t, dir)}).Attach("a", 0)); got != "first second third" {
		t.Errorf("%q", got)
	}
	add(t, j, "a", 0, "fourth")
	if got := bodies(start(t, Config{Dir: cut(t, dir)}).Attach("a", 0)); got != "first second third fourth" {
		t.Errorf("%q", got)
	}
	if err := f.Written(t.Context(), third); err != nil {
		t.Fatal(err)
	}
}

func TestWrittenIsFlushedThoughNobodyWaits(t *testing.T) {
	t.Parallel()
	j := start(t, Config{})
	j.Attach("a", 0)
	add(t, j, "a", 0, "first")
	_, f := written(t, j, "second")
	<-f.done
	if s := j.Stats(); f.err != nil || s.Records != 2 {
		t.Error(f.err, s)
	}
}

// TestWrittenAndTheNextSegment has a group of which the first segment holds a part.
func TestWrittenAndTheNextSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := flushless(t, Config{Dir: dir, Segment: 120, open: create})
	written(t, j, "second")
	j.Append("a", 0, text("third"))
	last := add(t, j, "a", 0, "fourth")
	for range 2 {
		again := start(t, Config{Dir: cut(t, dir)})
		if got := bodies(again.Attach("a", 0)); got != "first second third fourth" {
			t.Errorf("%q", got)
		}
	}
	j.Applied("a", last)
	if s := j.Stats(); s.Segments != 1 {
		t.Error("segments that nobody needs are kept:", s)
	}
}

// TestBehind: what is acknowledged is in the file, and reaches the disk though nobody
// waits.
func TestBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var disk sync.Mutex
	j := flushless(t, Config{Dir: dir, Behind: true, open: func(dir string, number int, room int64) (file, error) {
		f, err := create(dir, number, room)
		if err != nil {
			return nil, err
		}
		return busy{f.(*os.File), &disk}, nil
	}})
	disk.Lock()
	_, f := j.Append("a", 0, text("second"))
	if err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, j, "a", 0, "third")
	if got := bodies(start(t, Config{Dir: cut(t, dir)}).Attach("a", 0)); got != "first second third" {
		t.Errorf("%q", got)
	}
	disk.Unlock()
	if <-f.done; f.err != nil {
		t.Error(f.err)
	}
}

// busy is a file on a disk that is busy while somebody has it.
type busy struct {
	*os.File
	disk *sync.Mutex
}

func (f busy) Sync() error {
	f.disk.Lock()
	defer f.disk.Unlock()
	return f.File.Sync()
}

// TestBehindConcurrently has callers whose segments end again and again.
func TestBehindConcurrently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := start(t, Config{Dir: dir, Segment: 4 << 10, Behind: true})
	j.prepare() // half of the callers, or more, meet slates
	j.Attach("a", 0)
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for i := range 100 {
				add(t, j, "a", 0, fmt.Sprintf("%d.%d", caller, i))
			}
		})
	}
	wg.Wait()
	if f, err := read(cut(t, dir)); err != nil || len(f.records["a"]) != 800 {
		t.Errorf("%d of 800 acknowledged are there, %v", len(f.records["a"]), err)
	}
}

func TestWrittenBeforeADiskFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var away atomic.Bool
	j := flushless(t, Config{Dir: dir, open: func(dir string, number int, room int64) (file, error) {
		f, err := create(dir, number, room)
		if err != nil {
			return nil, err
		}
		return broken{f.(*os.File), &away}, nil
	}})
	second, f := written(t, j, "second")
	away.Store(true)
	if n, f := j.Append("a", 0, text("torn")); !errors.Is(f.Written(t.Context(), n), errAway) {
		t.Error("a record that could not be written was acknowledged")
	}
	if !errors.Is(f.Written(t.Context(), second), errAway) {
		t.Error("a record whose segment was given up is said to be safe")
	}
	if !errors.Is(f.Wait(t.Context()), errAway) {
		t.Error("a record that could not be flushed was acknowledged")
	}
	away.Store(false)
	add(t, j, "a", 0, "behind")
	if got := bodies(start(t, Config{Dir: cut(t, dir)}).Attach("a", 0)); got != "first second behind" {
		t.Errorf("%q", got)
	}
}

// TestWrittenConcurrently looks, while callers write and wait, whether all that was
// acknowledged is in the files.
func TestWrittenConcurrently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := start(t, Config{Dir: dir, Segment: 4 << 10})
	j.prepare()
	j.Attach("a", 0)
	var mu sync.Mutex
	var acknowledged []string
	var wg sync.WaitGroup
	for caller := range 16 {
		random := rand.New(rand.NewPCG(1, uint64(caller)))
		wg.Go(func() {
			for i := range 100 {
				body := fmt.Sprintf("%d.%d", caller, i)
				n, f := j.Append("a", 0, text(body))
				wait := func() error { return f.Written(t.Context(), n) }
				if random.IntN(3) == 0 {
					wait = func() error { return f.Wait(t.Context()) }
				}
				if err := wait(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, body)
				mu.Unlock()
			}
		})
	}
	over := make(chan struct{})
	go func() {
		wg.Wait()
		close(over)
	}()
	for last := false; !last; {
		select {
		case <-over:
			last = true
		default:
		}
		mu.Lock()
		want := acknowledged
		mu.Unlock()
		found := map[string]int{}
		f, err := read(cut(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.records["a"] {
			found[string(r.Body)]++
		}
		for _, body := range want {
			if found[body] != 1 {
				t.Fatalf("%s of %d acknowledged is there %d times", body, len(want), found[body])
			}
		}
	}
}

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type text string

func (b text) Size() int { return len(b) }

func (b text) AppendTo(dst []byte) []byte { return append(dst, b...) }

func start(t testing.TB, cfg Config) *Journal {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	j, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func add(t testing.TB, j *Journal, store string, replaces uint64, body string) uint64 {
	t.Helper()
	n, f := j.Append(store, replaces, text(body))
	if err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// cut is a copy of a folder, as a loss of power leaves it.
func cut(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	// Records move from slates to segments, maybe to one that is made while this copies.
	for _, name := range slateNames {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	rest, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range rest {
		if slices.Contains(slateNames[:], entry.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, entry.Name()), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func bodies(records []Record) string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Body))
	}
	return strings.Join(out, " ")
}

func TestGivesBackWhatStoresLack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := start(t, Config{Dir: dir})
	j.Attach("a", 0)
	j.Attach("b", 0)
	first := add(t, j, "a", 0, "a1")
	second := add(t, j, "a", 0, "a2")
	add(t, j, "b", 0, "b1")
	add(t, j, "a", second, "a3")
	for _, c := range []struct {
		position uint64
		a        string
	}{{0, "a1 a3"}, {first, "a3"}, {second, "a3"}, {second + 100, ""}} {
		again := start(t, Config{Dir: cut(t, dir)})
		if got := bodies(again.Attach("a", c.position)); got != c.a {
			t.Errorf("after %d: %q, want %q", c.position, got, c.a)
		}
		if got := bodies(again.Attach("b", 0)); got != "b1" {
			t.Errorf("b: %q", got)
		}
		if n := add(t, again, "a", 0, "more"); n <= second+1 {
			t.Error("numbers begin again:", n)
		}
	}
}

// TestTornTail cuts and spoils the last record at every byte.
func TestTornTail(t *testing.T) {
	t.Parallel()
	whole := appendRecord(nil, 1, 0, "s", text("first"))
	whole = appendRecord(whole, 2, 0, "s", text("second"))
	at := len(whole)
	whole = appendRecord(whole, 3, 1, "s", text("third"))
	for i := at; i < len(whole); i++ {
		if got := bodies(scanned(whole[:i])); got != "first second" {
			t.Fatalf("cut at %d: %q", i, got)
		}
		spoiled := slices.Clone(whole)
		spoiled[i] ^= 0x40
		if got := bodies(scanned(spoiled)); got != "first second" {
			t.Fatalf("spoiled at %d: %q", i, got)
		}
	}
	// What an earlier use of the segment left behind the end.
	left := appendRecord(slices.Clone(whole), 2, 0, "s", text("old"))
	if got := bodies(scanned(left)); got != "first second third" {
		t.Error(got)
	}
}

// TestNextSegmentIsThere: whoever writes what does not fit any more makes no file.
func TestNextSegmentIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var opened atomic.Int64
	j := start(t, Config{Dir: dir, Segment: 110, open: func(dir string, number int, room int64) (file, error) {
		opened.Add(1)
		return create(dir, number, room)
	}})
	j.Attach("a", 0)
	for i, body := range []string{"the_first_record", "fills_half", "begins_a_segment", "fills_half", "begins_the_third"} {
		before := opened.Load()
		add(t, j, "a", 0, body)
		if i > 0 && strings.HasPrefix(body, "begins") && opened.Load() != before {
			t.Errorf("whoever wrote record %d made a file", i)
		}
		j.providing.Wait()
	}
	want := "the_first_record fills_half begins_a_segment fills_half begins_the_third"
	if got := bodies(start(t, Config{Dir: cut(t, dir)}).Attach("a", 0)); got != want {
		t.Errorf("%q", got)
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d files for three segments", n)
	}
}

func TestSegmentsAreUsedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := start(t, Config{Dir: dir, Segment: 1 << 10, Spare: 2})
	j.Attach("a", 0)
	var last uint64
	for i := range 200 {
		last = add(t, j, "a", 0, strings.Repeat("x", 200))
		if i >= 20 {
			j.Applied("a", last-20)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) > 12 {
		t.Errorf("%d files for 20 records of 200 bytes", len(files))
	}
	again := start(t, Config{Dir: cut(t, dir), Segment: 1 << 10})
	if got := again.Attach("a", last-20); len(got) != 20 {
		t.Errorf("%d records of 20", len(got))
	}
	j.Applied("a", last)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ = filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 {
		t.Error("left behind:", files)
	}
}

// TestForeignStore keeps records of a store that this process does not open.
func TestForeignStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := start(t, Config{Dir: dir})
	add(t, j, "other", 0, "kept")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = start(t, Config{Dir: dir})
	j.Attach("a", 0)
	j.Applied("a", add(t, j, "a", 0, "x"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := bodies(start(t, Config{Dir: dir}).Attach("other", 0)); got != "kept" {
		t.Errorf("%q", got)
	}
}

// broken is a file whose writes fail while away is set.
type broken struct {
	*os.File
	away *atomic.Bool
}

var errAway = errors.New("no space left on device")

func (b broken) WriteAt(p []byte, at int64) (int, error) {
	if b.away.Load() {
		n, _ := b.File.WriteAt(p[:len(p)/2], at)
		return n, errAway
	}
	return b.File.WriteAt(p, at)
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var away atomic.Bool
	j := start(t, Config{Dir: dir, open: func(dir string, number int, room int64) (file, error) {
		f, err := create(dir, number, room)
		if err != nil {
			return nil, err
		}
		return broken{f.(*os.File), &away}, nil
	}})
	j.Attach("a", 0)
	add(t, j, "a", 0, "before")
	away.Store(true)
	if _, f := j.Append("a", 0, text("torn")); !errors.Is(f.Wait(t.Context()), errAway) {
		t.Error("a record that could not be written was acknowledged")
	}
	away.Store(false)
	add(t, j, "a", 0, "behind")
	if got := bodies(start(t, Config{Dir: cut(t, dir)}).Attach("a", 0)); got != "before behind" {
		t.Errorf("%q", got)
	}
}

// held is a file whose writes wait for a signal each.
type held struct {
	*os.File
	begun, goOn chan struct{}
}

func (h held) WriteAt(p []byte, at int64) (int, error) {
	h.begun <- struct{}{}
	<-h.goOn
	return h.File.WriteAt(p, at)
}

// While a group is being written, no more than so much gathers behind it.
func TestAdmit(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	j := start(t, Config{open: func(dir string, number int, room int64) (file, error) {
		f, err := create(dir, number, room)
		if err != nil {
			return nil, err
		}
		return held{f.(*os.File), begun, goOn}, nil
	}})
	j.Attach("a", 0)
	_, first := j.Append("a", 0, text("first"))
	go func() { _ = first.Wait(context.Background()) }()
	<-begun
	large := text(strings.Repeat("x", 256<<10))
	var last *Flight
	for range mostWaiting / len(large) {
		if err := j.Admit(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, last = j.Append("a", 0, large)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Admit(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("full: %v", err)
	}
	admitted := make(chan error)
	go func() { admitted <- j.Admit(context.Background()) }()
	goOn <- struct{}{}
	<-begun
	if err := <-admitted; err != nil {
		t.Error(err)
	}
	goOn <- struct{}{}
	if err := last.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOneFlushForThoseNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	j := start(t, Config{})
	j.Attach("a", 0)
	for range 5 {
		j.Append("a", 0, text("x"))
	}
	add(t, j, "a", 0, "last")
	if s := j.Stats(); s.Records != 6 || s.Flushes != 1 {
		t.Errorf("%d records took %d flushes", s.Records, s.Flushes)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := start(t, Config{Dir: dir, Segment: 16 << 10})
	j.Attach("a", 0)
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for i := range 50 {
				add(t, j, "a", 0, fmt.Sprintf("%d.%d", caller, i))
			}
		})
	}
	wg.Wait()
	again := start(t, Config{Dir: cut(t, dir)})
	records := again.Attach("a", 0)
	seen := map[int]int{}
	for _, r := range records {
		var caller, i int
		fmt.Sscanf(string(r.Body), "%d.%d", &caller, &i)
		if i != seen[caller] {
			t.Fatal("out of order")
		}
		seen[caller]++
	}
	if len(records) != 16*50 {
		t.Error(len(records))
	}
	if s := j.Stats(); s.Records != 16*50 || s.Flushes > s.Records {
		t.Error(s)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, f := j.Append("a", 0, text("x")); !errors.Is(f.Wait(t.Context()), ErrClosed) {
		t.Error("a closed journal took a record")
	}
}

func FuzzScan(f *testing.F) {
	f.Add(appendRecord(appendRecord(nil, 1, 0, "s", text("first")), 9, 1, "", text("")))
	f.Fuzz(func(t *testing.T, data []byte) {
		last := uint64(0)
		for _, r := range scanned(data) {
			if r.Sequence <= last {
				t.Fatal("numbers fall")
			}
			last = r.Sequence
		}
	})
}

package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// slated is a journal that has slates and begins no flush by itself.
func slated(t *testing.T, cfg Config) *Journal {
	t.Helper()
	if openSlateHere(t) != nil {
		t.Skip("no slates here")
	}
	j := flushless(t, cfg)
	if cfg.open == nil {
		j.prepare()
		j.providing.Wait()
	} else {
		j.openSlates()
	}
	add(t, j, "a", 0, "second") // the next group is gathered in one
	j.soon.Stop()
	if j.slate == nil {
		t.Fatal("no group is gathered in a slate")
	}
	return j
}

// left is what the end of the process leaves of the records of store a.
func left(t *testing.T, dir string) string {
	t.Helper()
	f, err := read(cut(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return bodies(f.records["a"])
}

func openSlateHere(t *testing.T) error {
	s, err := openSlate(filepath.Join(t.TempDir(), "slate"))
	if err == nil {
		err = s.close()
	}
	return err
}

// TestGatheredIsNotLost looks at what the end of the process leaves of records that
// nothing was done about yet.
func TestGatheredIsNotLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := slated(t, Config{Dir: dir, Segment: 64 << 10})
	n, f := j.Append("a", 0, text("third"))
	j.Append("b", 0, text("other"))
	if s := j.Stats(); s.Records != 2 {
		t.Error("somebody has flushed:", s)
	}
	copied := cut(t, dir)
	for range 3 { // it comes back until it is applied
		again, err := Open(Config{Dir: copied, Segment: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if got := bodies(again.Attach("a", 0)); got != "first second third" {
			t.Errorf("%q", got)
		}
		if got := bodies(again.Attach("b", 0)); got != "other" {
			t.Errorf("%q", got)
		}
		copied = cut(t, copied)
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
	again := start(t, Config{Dir: copied, Segment: 64 << 10})
	if got := bodies(again.Attach("a", n-1)); got != "third" {
		t.Errorf("%q", got)
	}
	again.Applied("a", n)
	again.Attach("b", n+1)
	if s := again.Stats(); s.Segments != 0 {
		t.Error("segments that nobody needs are kept:", s)
	}
	if err := f.Written(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	// Once flushed it is there once.
	if err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := left(t, dir); got != "first second third" {
		t.Errorf("%q", got)
	}
}

// TestSlatesAreUsedAgain writes many groups, in the place of longer ones.
func TestSlatesAreUsedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := slated(t, Config{Dir: dir, Segment: 64 << 10})
	want := "first second"
	for i := range 40 {
		body := strings.Repeat(string(rune('a'+i%20)), 1+(i*37)%90)
		want += " " + body
		n, f := j.Append("a", 0, text(body))
		if err := f.Written(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		j.soon.Stop()
		if got := left(t, dir); got != want {
			t.Fatalf("after %d: %q", i, got)
		}
		if i%3 == 0 {
			if err := f.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range slateNames {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Error("a slate is left:", err)
		}
	}
}

// TestMoreThanASlateHolds has a group of which a slate has the beginning.
func TestMoreThanASlateHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := slated(t, Config{Dir: dir, Segment: 64 << 10})
	large := strings.Repeat("x", slateSize/3)
	want := "first second"
	for range 5 {
		want += " " + large
		n, f := j.Append("a", 0, text(large))
		if err := f.Written(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		j.soon.Stop()
		if got := left(t, dir); got != want {
			t.Fatalf("%d bytes of %d", len(got), len(want))
		}
	}
	want += " last"
	add(t, j, "a", 0, "last")
	if got := left(t, dir); got != want {
		t.Errorf("%d bytes of %d", len(got), len(want))
	}
	add(t, j, "a", 0, "behind")
	if j.slate == nil {
		t.Error("no group is gathered in a slate any more")
	}
}

// TestLargeGroupGrowsOnce has a group that outgrows its slate by records of which each
// is larger than what a slate has left.
func TestLargeGroupGrowsOnce(t *testing.T) {
	t.Parallel()
	j := slated(t, Config{Dir: t.TempDir()})
	large := text(strings.Repeat("x", 2*slateRest))
	fill := func() (sizes []int) {
		j.mu.Lock()
		j.busy = true // so that the group is not taken
		j.mu.Unlock()
		var flight *Flight
		for grown := 0; grown < mostWaiting; grown += len(large) {
			_, flight = j.Append("a", 0, large)
			j.mu.Lock()
			sizes = append(sizes, cap(j.buffer))
			j.mu.Unlock()
		}
		j.mu.Lock()
		j.busy = false
		j.mu.Unlock()
		if err := flight.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		return slices.Compact(sizes)
	}
	for range 2 { // the second one goes on in memory of the first
		if sizes := fill(); len(sizes) != 2 || sizes[0] != slateSize {
			t.Errorf("a group grew from %d", sizes)
		}
	}
}

// TestSlateThatIsNearlyFull has a group that goes on in memory that an earlier one has
// left, before its slate is full: nothing of it is lost at any time.
func TestSlateThatIsNearlyFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := slated(t, Config{Dir: dir, Segment: 64 << 10})
	large, piece := strings.Repeat("x", slateSize+1), strings.Repeat("y", slateRest-2<<10)
	add(t, j, "a", 0, large) // more than a slate holds
	want := "first second " + large
	gathering := func() (slated bool, spare int) {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.slate.holds(j.buffer), cap(j.writing)
	}
	if slated, spare := gathering(); !slated || spare <= slateSize {
		t.Fatal("there is no slate, or no memory to go on in")
	}
	var last uint64
	var flight *Flight
	for {
		slated, spare := gathering()
		if spare == 0 {
			break
		}
		if !slated {
			t.Fatal("the slate was left for new memory")
		}
		last, flight = j.Append("a", 0, text(piece))
		want += " " + piece
	}
	for range 2 {
		if err := flight.Written(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		j.soon.Stop()
		if got := left(t, dir); got != want {
			t.Fatalf("%d bytes of %d", len(got), len(want))
		}
		last, flight = j.Append("a", 0, text(piece))
		want += " " + piece
	}
	if err := flight.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := left(t, dir); got != want {
		t.Errorf("%d bytes of %d", len(got), len(want))
	}
}

// TestSlateOfADiskThatFails has a group that does not reach the disk: what was written
// of it is still there, and the journal goes on.
func TestSlateOfADiskThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var away atomic.Bool
	j := slated(t, Config{Dir: dir, Segment: 64 << 10, open: func(dir string, number int, room int64) (file, error) {
		f, err := create(dir, number, room)
		if err != nil {
			return nil, err
		}
		return broken{f.(*os.File), &away}, nil
	}})
	n, f := j.Append("a", 0, text("third"))
	if err := f.Written(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	away.Store(true)
	if err := f.Wait(t.Context()); !errors.Is(err, errAway) {
		t.Error("a record that could not be flushed was acknowledged:", err)
	}
	if err := f.Written(t.Context(), n); !errors.Is(err, errAway) {
		t.Error("a record whose group was given up is said to be safe:", err)
	}
	away.Store(false)
	for range 5 {
		add(t, j, "a", 0, "behind")
	}
	want := "first second third behind behind behind behind behind"
	if got := left(t, dir); got != want {
		t.Errorf("%q", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := bodies(start(t, Config{Dir: dir, Segment: 64 << 10}).Attach("a", 0)); got != want {
		t.Errorf("%q", got)
	}
}

// TestSlatesThatAreNeeded opens a folder in which the slates cannot be used.
func TestSlatesThatAreNeeded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := slated(t, Config{Dir: dir, Segment: 64 << 10})
	j.Append("a", 0, text("third"))
	copied := cut(t, dir)
	blocked := segmentPath(copied, 2) // where the records are to be carried
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: copied, Segment: 64 << 10}); err == nil {
		t.Error("a folder whose segment cannot be read was opened")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	f2, err := read(copied)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	if f2.carry(copied) == nil {
		t.Error("records were carried into a folder")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if got := bodies(start(t, Config{Dir: copied, Segment: 64 << 10}).Attach("a", 0)); got != "first second third" {
		t.Errorf("%q", got)
	}
}

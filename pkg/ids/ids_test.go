package ids

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestNewHasPrefixAndForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^ses_[0-9a-hjkmnp-tv-z]{26}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := New("ses")
		if !form.MatchString(id) {
			t.Fatalf("New = %q, want %v", id, form)
		}
		if seen[id] {
			t.Fatalf("New gave %q twice", id)
		}
		seen[id] = true
	}
}

func TestAtSortsByTime(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	last := ""
	for i := range 2000 {
		id := At("x", start.Add(time.Duration(i)*time.Hour))
		if id <= last {
			t.Fatalf("id %q of a later time sorts before %q", id, last)
		}
		last = id
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_800_000_000_123)
	for range 100 {
		id := At("ses", at)
		if got, ok := Time("ses", id); !ok || !got.Equal(at) {
			t.Fatalf("Time(%q) = %v, %v", id, got, ok)
		}
	}
	id := At("ses", at)
	for c := range 256 {
		changed := id[:len(id)-1] + string([]byte{byte(c)})
		if _, ok := Time("ses", changed); ok != (strings.IndexByte(alphabet, byte(c)) >= 0) {
			t.Errorf("Time(%q) is %v", changed, ok)
		}
	}
	for _, bad := range []string{"", "ses", "ses_", id[1:], id + "0", "ses_8" + id[5:], "ses-" + id[4:], "req_" + id[4:]} {
		if _, ok := Time("ses", bad); ok {
			t.Errorf("Time(%q) is true", bad)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New("req")
	}
}

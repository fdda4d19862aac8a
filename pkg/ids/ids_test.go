package ids

import (
	"regexp"
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

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New("req")
	}
}

package liveness

import (
	"testing"
	"time"
)

// Others are dead while this process's own heart beats in time, and not for a while after
// it did not.
func TestPulse(t *testing.T) {
	t.Parallel()
	begin := time.Unix(0, 0)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	p := New(5*time.Second, 15*time.Second, begin)
	for _, step := range []struct {
		second  int
		beats   bool
		trusted bool
	}{
		{0, false, true}, {5, true, true}, {15, true, true}, // late, but the others cannot be dead of it
		{25, false, true}, {26, false, false}, // nothing is known while the store is away
		{27, true, false}, {32, true, false}, {41, true, false}, {42, false, true}, {46, true, true},
	} {
		if step.beats {
			p.Beat(at(step.second))
		}
		if got := p.Trusted(at(step.second)); got != step.trusted {
			t.Errorf("second %d: trusted %v", step.second, got)
		}
	}
	if got := p.Patience(); got != 7500*time.Millisecond {
		t.Errorf("one heartbeat has %s", got)
	}
	if got := New(5*time.Second, 8*time.Second, begin).Patience(); got != 5*time.Second {
		t.Errorf("one heartbeat has %s", got)
	}
}

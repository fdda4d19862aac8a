package ratelimit

import (
	"testing"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

func TestEleventhCallIsRefusedUntilTheWindowEnds(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0).Truncate(time.Minute).Add(15 * time.Second)
	l := New(Config{GPT: 10, Window: time.Minute}, func() time.Time { return now })
	gpt := meshv1.RateClass_RATE_CLASS_GPT
	for i := range 10 {
		state, err := l.Allow("a", gpt)
		if err != nil || state.Remaining != 9-i {
			t.Fatalf("call %d: %+v, %v", i+1, state, err)
		}
	}
	_, err := l.Allow("a", gpt)
	if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED) {
		t.Fatalf("call 11: %v, want RATE_LIMITED", err)
	}
	if got := fault.From(err).RetryAfter; got != 45*time.Second {
		t.Errorf("retry after %v, want 45s", got)
	}
	if _, err := l.Allow("b", gpt); err != nil {
		t.Errorf("another principal: %v", err)
	}
	if _, err := l.Allow("a", meshv1.RateClass_RATE_CLASS_API); err != nil {
		t.Errorf("another class without a limit: %v", err)
	}
	now = now.Add(45 * time.Second)
	if _, err := l.Allow("a", gpt); err != nil {
		t.Errorf("next window: %v", err)
	}
}

// A call that read the clock just before a window's end does not forget what was
// counted since.
func TestLateCallForgetsNothing(t *testing.T) {
	t.Parallel()
	end := time.Unix(1_800_000_000, 0).Truncate(time.Minute)
	now := end
	l := New(Config{GPT: 2, Window: time.Minute}, func() time.Time { return now })
	gpt := meshv1.RateClass_RATE_CLASS_GPT
	for i, c := range []struct {
		at time.Time
		ok bool
	}{
		{end, true}, {end.Add(-1), true}, {end, false}, {end.Add(-1), false},
		{end.Add(time.Minute), true}, {end.Add(-time.Hour), true}, // the clock was set back
	} {
		now = c.at
		if _, err := l.Allow("a", gpt); (err == nil) != c.ok {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}

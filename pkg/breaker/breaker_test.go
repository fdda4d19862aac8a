package breaker_test

import (
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/breaker"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func rig() (*breaker.Breaker, *clock) {
	c := &clock{now: time.Unix(1000, 0)}
	return breaker.New(breaker.Config{Failures: 5, OpenFor: 30 * time.Second, Now: c.Now}), c
}

func call(t *testing.T, b *breaker.Breaker, outcome breaker.Outcome) {
	t.Helper()
	ticket, wait := b.Allow()
	if ticket == nil {
		t.Fatalf("refused for %v", wait)
	}
	ticket.Done(outcome, "why")
}

func open(t *testing.T) (*breaker.Breaker, *clock) {
	b, c := rig()
	for range 5 {
		call(t, b, breaker.Failure)
	}
	return b, c
}

func TestOpensAfterFailuresInARow(t *testing.T) {
	t.Parallel()
	b, _ := rig()
	for range 4 {
		call(t, b, breaker.Failure)
	}
	call(t, b, breaker.Success)
	for range 5 {
		call(t, b, breaker.Failure)
	}
	if ticket, wait := b.Allow(); ticket != nil || wait != 30*time.Second {
		t.Errorf("Allow = %v, %v", ticket, wait)
	}
	if got := b.Snapshot(); got.State != breaker.Open || got.Reason != "why" || got.Failures != 5 {
		t.Errorf("%+v", got)
	}
}

func TestOneProbeDecides(t *testing.T) {
	t.Parallel()
	b, c := open(t)
	c.now = c.now.Add(30 * time.Second)
	probe, _ := b.Allow()
	if probe == nil {
		t.Fatal("no probe")
	}
	if second, _ := b.Allow(); second != nil {
		t.Fatal("two probes at once")
	}
	probe.Done(breaker.Failure, "still")
	if again, _ := b.Allow(); again != nil {
		t.Fatal("a failed probe left the breaker open to calls")
	}
	c.now = c.now.Add(30 * time.Second)
	call(t, b, breaker.Success)
	if got := b.Snapshot(); got.State != breaker.Closed || got.Failures != 0 {
		t.Errorf("%+v", got)
	}
}

func TestCancelledCallsDoNotCount(t *testing.T) {
	t.Parallel()
	b, _ := rig()
	for range 20 {
		call(t, b, breaker.Neutral)
	}
	if got := b.Snapshot(); got.State != breaker.Closed {
		t.Errorf("%+v", got)
	}
	b, c := open(t)
	c.now = c.now.Add(30 * time.Second)
	call(t, b, breaker.Neutral)
	call(t, b, breaker.Success)
}

func TestResetTakesTheProbesWord(t *testing.T) {
	t.Parallel()
	for _, outcome := range []breaker.Outcome{breaker.Failure, breaker.Neutral, breaker.Success} {
		b, c := open(t)
		c.now = c.now.Add(30 * time.Second)
		probe, _ := b.Allow()
		b.Reset()
		probe.Done(outcome, "late")
		if got := b.Snapshot(); got.State != breaker.Closed {
			t.Errorf("outcome %v of a probe opened it again: %+v", outcome, got)
		}
	}
}

func TestLateSuccessDoesNotClose(t *testing.T) {
	t.Parallel()
	b, _ := rig()
	late, _ := b.Allow()
	for range 5 {
		call(t, b, breaker.Failure)
	}
	late.Done(breaker.Success, "")
	if got := b.Snapshot(); got.State != breaker.Open {
		t.Errorf("%+v", got)
	}
}

package events_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

func TestLifeWaitsForThoseWhoJoined(t *testing.T) {
	t.Parallel()
	l := events.NewLife()
	ctx, leave := l.Join(t.Context())
	worked := make(chan struct{})
	l.Go(func(ctx context.Context) { <-ctx.Done(); close(worked) })
	ended := make(chan struct{})
	go func() { l.End(); close(ended) }()
	<-ctx.Done() // the life ends what joined it
	<-worked
	select {
	case <-ended:
		t.Error("it did not wait")
	default:
	}
	leave()
	<-ended
	l.End() // again

	late, leave := l.Join(t.Context())
	if late.Err() == nil || !l.Over() {
		t.Error("it can be joined when it is over")
	}
	leave()
	l.Go(func(context.Context) { t.Error("something runs when it is over") })
}

func TestLifeLeavesTheCallersContext(t *testing.T) {
	t.Parallel()
	l := events.NewLife()
	defer l.End()
	mine, cancel := context.WithCancel(t.Context())
	ctx, leave := l.Join(mine)
	defer leave()
	cancel()
	<-ctx.Done()
	if l.Over() {
		t.Error("a caller ended the life")
	}
}

// Joining and ending at the same time is what a process does that stops.
func TestLifeJoinedWhileItEnds(t *testing.T) {
	t.Parallel()
	for range 100 {
		l := events.NewLife()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				ctx, leave := l.Join(context.Background())
				defer leave()
				events.Pause(ctx, time.Microsecond)
			})
		}
		l.End()
		all.Wait()
	}
}

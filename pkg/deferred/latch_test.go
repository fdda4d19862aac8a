package deferred

import (
	"sync"
	"testing"
)

func TestLatch(t *testing.T) {
	t.Parallel()
	var before, after Latch
	select {
	case <-before.Opened():
		t.Fatal("it is open")
	default:
	}
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() { <-before.Opened() })
	}
	for range 2 {
		before.Open()
		after.Open()
	}
	waiting.Wait()
	<-before.Opened()
	<-after.Opened()
}

// Package gate lets a crowd in by few.
//
// Work that comes in crowds, as when thousands of clients ask in the same moment,
// stands in the scheduler's queue before all that comes later: each event of a stream
// that is under way waits until the whole crowd has had its turn. A Gate lets few
// through at once and the others in the order of their coming, some whenever the
// scheduler has looked at the sockets, which it does when nothing else is left to run.
// So what comes from them goes first, and no processor is idle while somebody waits.
package gate

import (
	"runtime"
	"sync"
	"time"
)

// Config says what a crowd is.
type Config struct {
	// Free is how many pass within Window before others have to wait, unless some
	// wait already. 0 means 16 for each processor.
	Free int
	// Window is the time after which Free others pass. 0 means 2 ms.
	Window time.Duration
}

// A round ends when the scheduler has looked at the sockets, and lets a few in: it takes
// some system calls and changes of goroutines, which are shared by them. Where no
// processor becomes idle it ends by the clock, and lets more in.
const (
	longest          = 5 * time.Millisecond
	byRound, byClock = 4, 8 // for each processor
)

// Gate is a gate. The zero value is not usable; New makes one. It is safe for
// concurrent use. Nil lets everybody through.
type Gate struct {
	config Config
	poller poller
	round  func(longest time.Duration) bool // the poller's
	keeper sync.WaitGroup

	mu      sync.Mutex
	since   time.Time // the window's beginning
	passed  int       // within it
	waiting []chan struct{}
	kept    bool // a keeper runs
	closed  bool
}

// New makes a gate. Close must be called in the end.
func New(config Config) (*Gate, error) {
	if config.Free == 0 {
		config.Free = 16 * runtime.GOMAXPROCS(0)
	}
	if config.Window == 0 {
		config.Window = 2 * time.Millisecond
	}
	g := &Gate{config: config}
	if err := g.poller.open(); err != nil {
		return nil, err
	}
	g.round = g.poller.round
	return g, nil
}

// Pass returns when the caller may go on.
func (g *Gate) Pass() {
	if g == nil {
		return
	}
	if turn := g.join(); turn != nil {
		<-turn
	}
}

// join returns nil where there is no need to wait.
func (g *Gate) join() <-chan struct{} {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	if !g.kept {
		if now.Sub(g.since) >= g.config.Window {
			g.since, g.passed = now, 0
		}
		if g.passed < g.config.Free {
			g.passed++
			return nil
		}
		g.kept = true
		g.keeper.Go(g.keep)
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	return turn
}

// keep lets in those who wait until nobody does.
func (g *Gate) keep() {
	for {
		processors := runtime.GOMAXPROCS(0)
		most := byRound * processors
		if !g.round(longest) {
			most = byClock * processors
		}
		if !g.let(most) {
			return
		}
	}
}

// let lets in as many. It returns false, and the keeper is none any more, where
// nobody is left.
func (g *Gate) let(most int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		most = len(g.waiting)
	}
	n := min(most, len(g.waiting))
	for _, turn := range g.waiting[:n] {
		close(turn)
	}
	clear(g.waiting[:n])
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting, g.kept = nil, false
		return false
	}
	return true
}

// Close lets everybody through, now and later. It may be called again.
func (g *Gate) Close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	closed := g.closed
	g.closed = true
	g.mu.Unlock()
	g.keeper.Wait()
	if !closed {
		g.poller.close()
	}
}

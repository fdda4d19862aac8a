package gpt

import (
	"context"
	"fmt"
	"sync"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// errLost is the cause of an attempt whose rival sent its first token before it.
var errLost = fmt.Errorf("%w: another target was quicker", context.Canceled)

// race is a call with two attempts under way: the first token wins.
type race struct {
	mu     sync.Mutex
	winner *attempt
	ways   []*way
}

// claim says whether the answer is a's to give, and cuts the others if it is.
func (r *race) claim(a *attempt) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil {
		return r.winner == a
	}
	r.winner = a
	for _, w := range r.ways {
		if w != a.way {
			w.cancel(errLost)
		}
	}
	return true
}

// decided is the attempt whose answer it is, or nil.
func (r *race) decided() *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner
}

// hedgeAfter is how long the first attempt may be silent before a second one is
// started beside it. 0 means for ever.
func (c *call) hedgeAfter(w *way) time.Duration {
	route := c.plan.Route
	if route == nil || route.HedgeAfter == 0 || len(c.plan.Options) < 2 || w.number > 1 || c.turn == nil {
		return 0
	}
	wait := route.HedgeAfter
	if route.HedgeQuantile > 0 {
		if observed := w.option.Place.Latency.Quantile(route.HedgeQuantile); observed > 0 {
			wait = min(wait, observed)
		}
	}
	return wait
}

// hedged makes an attempt, and a second one where the first is slow. It returns
// when both have ended: the winner's result, else that of the last to fail.
func (c *call) hedged(ctx context.Context, first *way, wait time.Duration) result {
	c.race = &race{}
	defer func() { c.race = nil }()
	results := make(chan result, 2)
	begin := func(w *way) {
		ctx, cancel := context.WithCancelCause(ctx)
		w.cancel = cancel
		c.race.mu.Lock()
		c.race.ways = append(c.race.ways, w)
		if c.race.winner != nil {
			cancel(errLost)
		}
		c.race.mu.Unlock()
		go func() {
			defer cancel(nil)
			defer func() {
				if p := recover(); p != nil {
					err := fault.Internal(fmt.Errorf("a hedged attempt panicked: %v", p))
					results <- result{err: err}
				}
			}()
			results <- c.once(ctx, w)
		}()
	}
	begin(first)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var last result
	for running := 1; running > 0; {
		select {
		case got := <-results:
			running--
			if winner := c.race.decided(); last.attempt == nil || last.attempt != winner {
				last = got
			}
		case <-timer.C:
			if second := c.enterHedge(ctx); second != nil {
				begin(second)
				running++
			}
		}
	}
	return last
}

// enterHedge takes the right to call a second target, where one is free and the
// budget allows it. It waits for nothing.
func (c *call) enterHedge(ctx context.Context) *way {
	i, decision := c.choose()
	if i < 0 || c.race.decided() != nil {
		return nil
	}
	if rank, _ := c.fitness(i, c.service.deps.Clock()); rank != fit || !c.pay(c.plan.Options[i].Target.Entry) {
		return nil
	}
	second, err := c.goTo(ctx, i, gptv1.Attempt_CAUSE_HEDGE, decision)
	if err != nil {
		return nil
	}
	return second
}

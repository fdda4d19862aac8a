package gpt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/limiter"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"google.golang.org/grpc/codes"
)

// way is the right to call a place, to be given back by leave.
type way struct {
	call     *call
	option   *registry.Option
	cause    gptv1.Attempt_Cause
	decision string
	number   int32
	ticket   *breaker.Ticket
	entered  time.Time
	cancel   context.CancelCauseFunc // of a hedged attempt
}

// How fit a place is to take a call now; lesser is better.
const (
	fit      = iota
	full     // its places are taken: the call would wait
	limited  // its key or model is about to be limited
	used     // this call has been there
	broken   // its breaker is open
	unfitEnd // could not be entered
)

// fitness says how fit an option is, and why it is not.
func (c *call) fitness(i int, now time.Time) (int, string) {
	place := c.plan.Options[i].Place
	switch {
	case c.blocked[i]:
		return unfitEnd, "busy"
	case place.Breaker != nil && !place.Breaker.Ready():
		return broken, "left alone after failures"
	case c.tried[i]:
		return used, "tried before"
	}
	if until, why := place.Quota.Avoid(c.estimate, now); !until.IsZero() {
		return limited, why + " until " + until.UTC().Format("15:04:05")
	}
	if place.Lane.Limiter.Full() {
		return full, "all places taken"
	}
	return fit, ""
}

// choose takes an option by the route's strategy, among those that are fittest,
// and says why where there was a choice. -1 where none can be entered.
func (c *call) choose() (chosen int, decision string) {
	options := c.plan.Options
	if len(options) == 1 || c.stick != nil {
		for i := range options {
			if (c.stick == nil || c.stick == &options[i]) && !c.blocked[i] {
				return i, ""
			}
		}
		return -1, ""
	}
	best, now := unfitEnd, c.service.deps.Clock()
	ranks, left := make([]int, len(options)), []string{}
	for i := range options {
		rank, why := c.fitness(i, now)
		ranks[i], best = rank, min(best, rank)
		if why != "" {
			left = append(left, options[i].Place.Name+" ("+why+")")
		}
	}
	if best == unfitEnd {
		return -1, ""
	}
	var among []int
	for i, rank := range ranks {
		if rank == best {
			among = append(among, i)
		}
	}
	strategy := registry.Latencies
	if c.plan.Route != nil {
		strategy = c.plan.Route.Strategy
	}
	chosen = c.quicker(c.byStrategy(strategy, among), now)
	decision = fmt.Sprintf("%s: %d of %d can take it", strategy, len(among), len(options))
	if best != fit {
		decision = fmt.Sprintf("%s: none is free; the best of %d", strategy, len(options))
	}
	if left = append(left, c.plan.Missing...); len(left) > 0 {
		decision += "; passed over: " + strings.Join(left, ", ")
	}
	return chosen, bounded(decision, 500)
}

func bounded(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// byStrategy takes one target and returns its options among those given: one for
// each key. With latency it returns all.
func (c *call) byStrategy(strategy registry.Strategy, among []int) []int {
	options := c.plan.Options
	first := options[among[0]].Index
	switch strategy {
	case registry.Latencies:
		return among
	case registry.Weighted:
		sum, seen := 0, -1
		for _, i := range among {
			if options[i].Index != seen {
				seen, sum = options[i].Index, sum+options[i].Weight
			}
		}
		draw := rand.N(max(sum, 1))
		seen = -1
		for _, i := range among {
			if options[i].Index == seen {
				continue
			}
			seen = options[i].Index
			if draw -= options[i].Weight; draw < 0 {
				first = seen
				break
			}
		}
	case registry.Price:
		cheapest := slices.MinFunc(among, func(a, b int) int { return cmp.Compare(c.price(a), c.price(b)) })
		first = options[cheapest].Index
	}
	return slices.DeleteFunc(slices.Clone(among), func(i int) bool { return options[i].Index != first })
}

// price is what the call would cost about: its prompt, and an answer half as
// long. Where no price is known it is taken for free: a model of one's own.
func (c *call) price(i int) float64 {
	p := c.plan.Options[i].Target.Model.GetPrices()
	tokens := float64(max(c.estimate, 1))
	return tokens*p.GetInputPerMillion() + tokens/2*p.GetOutputPerMillion()
}

// quicker draws two options and takes the one with less to expect: the average
// time to the first token, times the calls that are under way there.
func (c *call) quicker(among []int, now time.Time) int {
	if len(among) == 1 {
		return among[0]
	}
	at := rand.N(len(among))
	a, b := among[at], among[(at+1+rand.N(len(among)-1))%len(among)]
	if c.load(b, now) < c.load(a, now) {
		return b
	}
	return a
}

func (c *call) load(i int, now time.Time) float64 {
	place := c.plan.Options[i].Place
	running := float64(place.Lane.Limiter.State().Running)
	average := place.Latency.Average(now).Seconds()
	if average == 0 && running > 0 {
		average = 1 // nobody knows yet: one call at a time may find out
	}
	return average * (running + 1)
}

// enter takes the right to call a place: the best of those that let a call in.
func (c *call) enter(ctx context.Context, cause gptv1.Attempt_Cause) (*way, error) {
	clear(c.blocked)
	var refused error
	for {
		i, decision := c.choose()
		if i < 0 {
			return nil, refused
		}
		why := cause
		if cause == gptv1.Attempt_CAUSE_RETRY && !c.tried[i] {
			why = gptv1.Attempt_CAUSE_FALLBACK
		}
		var w *way
		if w, refused = c.goTo(ctx, i, why, decision); refused == nil {
			return w, nil
		}
		if ctx.Err() != nil {
			return nil, refused
		}
		c.blocked[i] = true
	}
}

// goTo takes the right to call an option.
func (c *call) goTo(ctx context.Context, i int, cause gptv1.Attempt_Cause, decision string) (*way, error) {
	option := &c.plan.Options[i]
	w := &c.first.way
	if c.number > 0 {
		w = new(way)
	}
	*w = way{call: c, option: option, cause: cause, decision: decision}
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	c.tried[i] = true
	c.number++
	w.number = c.number
	if !slices.Contains(c.called, option.Target.Entry) {
		c.called = append(c.called, option.Target.Entry)
		option.Target.Entry.Budget.Call()
	}
	return w, nil
}

// take asks limiter and breaker.
func (w *way) take(ctx context.Context) error {
	place, name := w.option.Place, w.option.Target.Entry.Info.Name
	if err := place.Lane.Limiter.Acquire(ctx); err != nil {
		if errors.Is(err, limiter.ErrFull) {
			return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED,
				"too many calls of the provider "+name+" are under way", "room", "gpt", "provider", name).WithRetryAfter(time.Second)
		}
		return w.call.service.endedInQueue(ctx, err, name)
	}
	if place.Breaker != nil {
		ticket, wait := place.Breaker.Allow()
		if ticket == nil {
			place.Lane.Limiter.Release(limiter.Unknown)
			return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE,
				"the provider "+name+" failed too often; it is left alone for a while", "provider", name, "breaker", "open").WithRetryAfter(wait)
		}
		w.ticket = ticket
	}
	place.Quota.Take(w.call.estimate)
	w.entered = w.call.service.deps.Clock()
	return nil
}

// leave gives the right back, with what the call told about the place.
func (w *way) leave(outcome breaker.Outcome, failure error, a *attempt) {
	place, now := w.option.Place, w.call.service.deps.Clock()
	signal := limiter.Unknown
	switch outcome {
	case breaker.Success:
		signal = limiter.Good
	case breaker.Failure:
		place.Latency.Penalize(now.Sub(w.entered), now)
	}
	if a.row.GetFirstTokenMicros() > 0 {
		place.Latency.Observe(time.Duration(a.row.GetFirstTokenMicros())*time.Microsecond, now)
	} else if a.lost {
		place.Latency.Observe(now.Sub(w.entered), now) // it would have been no quicker
	}
	if failure != nil {
		f := fault.From(failure)
		until, why := w.call.service.setAside(f, now)
		if !until.IsZero() {
			place.Quota.SetAside(until, why)
		}
		switch f.Reason {
		case meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT,
			meshv1.ErrorReason_ERROR_REASON_IDLE_TIMEOUT:
			signal = limiter.Overload
		case meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR:
			if status := f.Metadata["status"]; status == "503" || status == "529" {
				signal = limiter.Overload
			}
		}
	} else if outcome == breaker.Success {
		place.Quota.Clear()
	}
	if w.ticket != nil {
		reason := ""
		if outcome == breaker.Failure {
			reason = fault.From(failure).Message
		}
		w.ticket.Done(outcome, reason)
	}
	place.Lane.Limiter.Release(signal)
}

// setAside says until when a place would better be passed over after a refusal.
func (s *Service) setAside(f *fault.Fault, now time.Time) (time.Time, string) {
	switch f.Reason {
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED:
		if f.Metadata["quota"] != "" {
			return now.Add(max(f.RetryAfter, s.cfg.Breaker.OpenFor)), "quota used up"
		}
		return now.Add(max(f.RetryAfter, time.Second)), "limited"
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY:
		return now.Add(s.cfg.Breaker.OpenFor), "key refused"
	case meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND:
		return now.Add(s.cfg.Breaker.OpenFor), "model not there"
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR:
		if f.RetryAfter > 0 {
			return now.Add(f.RetryAfter), "asked for a pause"
		}
	}
	return time.Time{}, ""
}

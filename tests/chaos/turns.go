package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

const (
	model = "oscar-large"
	// askLimit is after how long without an end a call counts as hung. The mesh's
	// own time-outs are far shorter.
	askLimit = 60 * time.Second
	// turnLimit is how long a client tries to have its turn taken.
	turnLimit = 20 * time.Second
)

// outcome is how a turn ended for its client.
type outcome string

const (
	answered    outcome = "answered"    // the face's mark of completion came
	interrupted outcome = "interrupted" // a typed end said so
	failed      outcome = "failed"      // another typed error
	unserved    outcome = "unserved"    // nobody took it within the limit
	hung        outcome = "hung"        // no end came at all
)

// turn is one turn of a client, with what it was told.
type turn struct {
	scene, text string
	kind        string // what the provider does
	face        face.Face
	stream      bool

	outcome outcome
	answer  face.Answer
	calls   int
	err     error
	took    time.Duration
	longest time.Duration // of one call
}

// kinds are what the provider does with a turn, with how often.
var kinds = []struct {
	name  string
	share int
	steps func(words []provider.Step, n int) provider.Script
}{
	{"plain", 40, func(words []provider.Step, _ int) provider.Script { return provider.Script{Steps: words} }},
	{"slow", 25, func(words []provider.Step, _ int) provider.Script {
		var s provider.Script
		for _, w := range words {
			s = s.Then(w, provider.Pause(40*time.Millisecond))
		}
		return s
	}},
	{"half chunks", 8, func(words []provider.Step, _ int) provider.Script {
		return provider.Script{Steps: words, Split: 7}
	}},
	{"429 storm", 7, func(words []provider.Step, n int) provider.Script {
		if n < 2 {
			return provider.Script{Steps: []provider.Step{provider.RefuseFor(429, "rate_limit_exceeded", "0")}}
		}
		return provider.Script{Steps: words}
	}},
	{"500", 4, func(words []provider.Step, n int) provider.Script {
		if n == 0 {
			return provider.Script{Steps: []provider.Step{provider.Refuse(500, "server_error")}}
		}
		return provider.Script{Steps: words}
	}},
	{"wrong usage", 4, func(words []provider.Step, _ int) provider.Script {
		return provider.Script{Steps: words, Usage: provider.Usage{Input: 1, Output: 1 << 40}}
	}},
	{"fail", 3, broken(provider.Fail("the model fell over"))},
	{"truncated", 3, broken(provider.Truncate())},
	{"reset", 3, broken(provider.Reset())},
	{"garbage", 2, broken(provider.Garbage("data: {\"choices\":[{]\n\n"))},
	{"stall", 1, broken(provider.Stall())},
}

// declined is how many of a turn's calls the provider has declined at most; of
// the others it may have begun one, ever.
func (t *turn) declined(calls int) int {
	switch {
	case t.kind == "429 storm":
		return min(2, calls)
	case t.kind == "500":
		return min(1, calls)
	case t.kind == "fail" && !t.stream:
		return calls // a whole answer that fails is a status 500
	}
	return 0
}

// broken breaks an answer in its middle.
func broken(step provider.Step) func([]provider.Step, int) provider.Script {
	return func(words []provider.Step, _ int) provider.Script {
		return provider.Script{Steps: words[:len(words)/2]}.Then(step)
	}
}

// newTurn makes a turn and tells the provider of it.
func newTurn(p *provider.Provider, random *rand.Rand, name string) *turn {
	t := &turn{scene: name, face: face.All()[random.IntN(3)], stream: random.IntN(4) > 0}
	at := random.IntN(100)
	for _, k := range kinds {
		if at -= k.share; at < 0 {
			var words []provider.Step
			for i := range 4 + random.IntN(12) {
				word := fmt.Sprintf("%s-%d ", name, i)
				words, t.text = append(words, provider.Text(word)), t.text+word
			}
			t.kind = k.name
			p.ScriptEach(name, func(n int) provider.Script { return k.steps(words, n) })
			return t
		}
	}
	panic("the shares are less than 100")
}

// run asks under one key until there is an end.
func (t *turn) run(ctx context.Context, mesh *harness.Mesh) {
	begin := time.Now()
	defer func() { t.took = time.Since(begin) }()
	over := begin.Add(turnLimit)
	if *long {
		over = begin.Add(3 * turnLimit)
	}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		bounded, cancel := context.WithTimeout(ctx, askLimit)
		t.calls++
		asked := time.Now()
		t.answer, t.err = t.face.Ask(bounded, mesh, face.Ask{
			Model: model, Text: provider.Prompt(t.scene), Stream: t.stream, Session: "new", IdempotencyKey: t.scene, User: t.scene,
		})
		t.longest = max(t.longest, time.Since(asked))
		late := errors.Is(bounded.Err(), context.DeadlineExceeded)
		cancel()
		switch {
		case t.answer.Complete && t.err == nil:
			t.outcome = answered
		case late:
			t.outcome = hung
		case t.answer.Error != nil && isInterrupted(t.answer.Error):
			t.outcome = interrupted
		case t.answer.Error != nil && (t.answer.Error.InStream || t.answer.Status < 500 && t.answer.Status != http.StatusTooManyRequests && t.answer.Status != 499):
			t.outcome = failed
		case time.Now().After(over):
			// An error is an answer: only silence is not.
			if t.outcome = unserved; t.answer.Error != nil {
				t.outcome = failed
			}
		default:
			time.Sleep(pause)
			continue
		}
		return
	}
}

func isInterrupted(e *face.Error) bool {
	return strings.EqualFold(e.Code, "interrupted") || strings.Contains(e.Message, "stopped before the end")
}

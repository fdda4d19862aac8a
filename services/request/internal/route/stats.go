package route

import (
	"math"
	"sync"
	"time"
)

// halfLife is how long it takes until an observation counts half.
const halfLife = 10 * time.Minute

// maxObserved bounds the models and classes that are kept.
const maxObserved = 4096

// Observed is what passes by: how answers of each model went. It is safe for
// concurrent use.
type Observed struct {
	mu      sync.Mutex
	models  map[string]*record
	classes map[classKey]*tally
}

type classKey struct{ model, class string }

// tally counts whole and broken answers; both lose weight with time.
type tally struct {
	good, bad float64
	at        time.Time
}

func (t *tally) decay(now time.Time) {
	if passed := now.Sub(t.at); passed > 0 {
		f := math.Exp2(-float64(passed) / float64(halfLife))
		t.good, t.bad = t.good*f, t.bad*f
	}
	t.at = now
}

func (t *tally) add(ok bool, now time.Time) {
	t.decay(now)
	if ok {
		t.good++
	} else {
		t.bad++
	}
}

// record is what is known of one model.
type record struct {
	tally
	first    mean // seconds to the first chunk
	perToken mean // seconds per token of the answer after that
	running  int
}

// mean is a mean in which older values count less.
type mean struct{ value, weight float64 }

func (m *mean) add(v float64) {
	m.weight = min(m.weight+1, 20)
	m.value += (v - m.value) / m.weight
}

// NewObserved knows nothing yet.
func NewObserved() *Observed {
	return &Observed{models: map[string]*record{}, classes: map[classKey]*tally{}}
}

// Begin says that a request of model is under way.
func (o *Observed) Begin(model string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.of(model); r != nil {
		r.running++
	}
}

// of finds or makes a record; nil where there are too many.
func (o *Observed) of(model string) *record {
	r := o.models[model]
	if r == nil && len(o.models) < maxObserved {
		r = &record{}
		o.models[model] = r
	}
	return r
}

// Outcome is how an answer went.
type Outcome struct {
	// Class is the kind of work, empty where unknown.
	Class string
	// Counted says that it tells of the model: a client that leaves does not.
	Counted bool
	// Whole says that the answer is whole.
	Whole bool
	// First is the time to the first chunk, 0 where none came; Total to the end.
	First, Total time.Duration
	// Output is the answer's tokens.
	Output int64
	// Streamed says that chunks were passed on as they came: First and Total
	// then tell the pace.
	Streamed bool
}

// End says how a request that was begun went.
func (o *Observed) End(model string, out Outcome, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.models[model]
	if r == nil {
		return
	}
	r.running = max(0, r.running-1)
	if !out.Counted {
		return
	}
	r.add(out.Whole, now)
	if out.Class != "" {
		key := classKey{model, out.Class}
		t := o.classes[key]
		if t == nil && len(o.classes) < maxObserved {
			t = &tally{}
			o.classes[key] = t
		}
		if t != nil {
			t.add(out.Whole, now)
		}
	}
	switch {
	case !out.Whole:
	case out.Output < paced: // too short to tell the pace
		r.first.add(out.began().Seconds())
	case out.Streamed && out.First > 0:
		r.first.add(out.First.Seconds())
		r.perToken.add(max(0, (out.Total-out.First).Seconds()) / float64(out.Output))
	default: // one chunk: all of it is pace
		r.perToken.add(out.Total.Seconds() / float64(out.Output))
	}
}

// paced is how many tokens an answer needs to tell the pace, and pace what is
// assumed until one did, in seconds per token.
const (
	paced = 16
	pace  = 0.02
)

// began is the time until something came.
func (o Outcome) began() time.Duration {
	if o.Streamed && o.First > 0 {
		return o.First
	}
	return o.Total
}

// view is what a choice needs of one model.
type view struct {
	success float64
	seconds float64 // expected time of the answer; negative where unknown
	running int
}

// of nothing is known: nearly all answers are whole.
const priorGood, priorBad = 9.5, 0.5

// look reads what is known of a model for work of a class, for an answer of so
// many tokens.
func (o *Observed) look(model, class string, output int64, now time.Time) view {
	v := view{success: priorGood / (priorGood + priorBad), seconds: -1}
	if o == nil {
		return v
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.models[model]
	if r == nil {
		return v
	}
	r.decay(now)
	v.running = r.running
	v.success = (r.good + priorGood) / (r.good + r.bad + priorGood + priorBad)
	if t := o.classes[classKey{model, class}]; t != nil {
		t.decay(now)
		// The model's share stands for five requests of the class.
		v.success = (t.good + 5*v.success) / (t.good + t.bad + 5)
	}
	if r.first.weight+r.perToken.weight > 0 {
		perToken := pace
		if r.perToken.weight > 0 {
			perToken = r.perToken.value
		}
		v.seconds = r.first.value + perToken*float64(output)
	}
	return v
}

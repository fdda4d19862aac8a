// Package eventstest holds every broker to what events.Broker promises.
package eventstest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Harness is one empty storage of events.
type Harness struct {
	// Open returns a broker over it. It may be called several times: brokers
	// that are open at once stand for processes.
	Open func(t *testing.T) events.Broker
	// Down makes the broker's server unreachable, Up undoes it. Nil where there
	// is no server.
	Down, Up func(t *testing.T)
	// TooLarge is a size in bytes that the server will never take. Zero where
	// there is none.
	TooLarge int
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// Run runs the suite. fresh makes an empty storage for each test.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"order per key":        orderPerKey,
		"redelivery":           redelivery,
		"duplicate":            duplicate,
		"consumer crash":       consumerCrash,
		"slow consumer":        slowConsumer,
		"broker down, then up": downThenUp,
		"poison message":       poison,
		"rejected message":     rejected,
		"replay":               replay,
		"restart":              restart,
		"a group shares":       share,
		"without a group":      broadcast,
		"subjects":             subjects,
		"refused event":        refused,
		"from now on":          fromNowOn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// Event makes an event; n is told apart by its payload.
func Event(subject, key string, n int) *events.Event {
	payload, err := anypb.New(wrapperspb.Int64(int64(n)))
	if err != nil {
		panic(err)
	}
	now := time.Now()
	return &events.Event{
		Id: ids.At("evt", now), Type: subject, Version: 1, Time: timestamppb.New(now), Owner: "local", Key: key,
		CorrelationId: "call", CausationId: "cause", Source: "test", Payload: payload,
	}
}

// number is what Event was given.
func number(e *events.Event) int {
	var p wrapperspb.Int64Value
	if err := e.GetPayload().UnmarshalTo(&p); err != nil {
		panic(err)
	}
	return int(p.GetValue())
}

// publish publishes all, however often it takes.
func publish(t *testing.T, b events.Broker, list ...*events.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(list) > 0 {
		taken, err := b.Publish(ctx, list)
		if list = list[taken:]; err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
		if err != nil {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// inbox is a handler that keeps what it gets.
type inbox struct {
	mu      sync.Mutex
	list    []*events.Event
	changed chan struct{}
	refuse  func(e *events.Event, before int) error // before says how often it came before
	tries   map[string]int
}

func newInbox() *inbox { return &inbox{changed: make(chan struct{}, 1), tries: map[string]int{}} }

func (i *inbox) handle(_ context.Context, e *events.Event) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.tries[e.GetId()]
	i.tries[e.GetId()]++
	if i.refuse != nil {
		if err := i.refuse(e, before); err != nil {
			return err
		}
	}
	i.list = append(i.list, proto.CloneOf(e))
	select {
	case i.changed <- struct{}{}:
	default:
	}
	return nil
}

// got returns what was handled, each event once.
func (i *inbox) got() []*events.Event {
	i.mu.Lock()
	defer i.mu.Unlock()
	seen := map[string]bool{}
	var out []*events.Event
	for _, e := range i.list {
		if !seen[e.GetId()] {
			out = append(out, e)
		}
		seen[e.GetId()] = true
	}
	return out
}

func (i *inbox) numbers() []int {
	var out []int
	for _, e := range i.got() {
		out = append(out, number(e))
	}
	return out
}

// await waits until n events were handled.
func (i *inbox) await(t *testing.T, n int) []*events.Event {
	t.Helper()
	return i.until(t, fmt.Sprint(n, " events"), func(list []*events.Event) bool { return len(list) >= n })
}

// awaitOf waits until n events of a key were handled, and returns their numbers.
func (i *inbox) awaitOf(t *testing.T, key string, n int) (numbers []int) {
	t.Helper()
	i.until(t, fmt.Sprint(n, " events of ", key), func(list []*events.Event) bool {
		numbers = nil
		for _, e := range list {
			if e.GetKey() == key {
				numbers = append(numbers, number(e))
			}
		}
		return len(numbers) >= n
	})
	return numbers
}

// until waits until what was handled is enough.
func (i *inbox) until(t *testing.T, what string, enough func([]*events.Event) bool) []*events.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		if list := i.got(); enough(list) {
			return list
		}
		select {
		case <-i.changed:
		case <-deadline:
			t.Fatalf("waited for %s, got %v", what, i.numbers())
		}
	}
}

// coax publishes until something came: a subscription that begins with what is
// new has no way to say that it stands.
func (i *inbox) coax(t *testing.T, b events.Broker, key string, from int) {
	t.Helper()
	for n := from; len(i.got()) == 0; n++ {
		if n > from+1000 {
			t.Fatal("nothing comes")
		}
		publish(t, b, Event("session.updated", key, n))
		select {
		case <-i.changed:
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// subscribe subscribes until leave, or the end of the test.
func subscribe(t *testing.T, b events.Broker, sub events.Subscription, handle events.Handler) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Subscribe(ctx, sub, handle); err != nil {
			t.Errorf("Subscribe: %v", err)
		}
	}()
	leave = sync.OnceFunc(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Subscribe does not return")
		}
	})
	t.Cleanup(leave)
	return leave
}

func inOrder(t *testing.T, list []*events.Event) {
	t.Helper()
	last := map[string]int{}
	for _, e := range list {
		if n := number(e); n <= last[e.GetKey()] {
			t.Errorf("of %s came %d after %d", e.GetKey(), n, last[e.GetKey()])
		} else {
			last[e.GetKey()] = n
		}
	}
}

func series(key string, from, to int) []*events.Event {
	var out []*events.Event
	for n := from; n <= to; n++ {
		out = append(out, Event("session.updated", key, n))
	}
	return out
}

func want(t *testing.T, got, wanted []int) {
	t.Helper()
	if !slices.Equal(got, wanted) {
		t.Errorf("got %v, want %v", got, wanted)
	}
}

var earliest = events.Start{Earliest: true}

func orderPerKey(t *testing.T, h Harness) {
	b := h.Open(t)
	in := newInbox()
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest}, in.handle)
	const keys, each = 10, 40
	for n := 1; n <= each; n += 4 {
		for k := range keys {
			publish(t, b, series(fmt.Sprint("key", k), n, n+3)...)
		}
	}
	list := in.await(t, keys*each)
	inOrder(t, list)
	first := list[0]
	if first.GetType() != "session.updated" || first.GetOwner() != "local" || first.GetCorrelationId() != "call" ||
		first.GetCausationId() != "cause" || first.GetSource() != "test" || first.GetVersion() != 1 || first.GetTime() == nil {
		t.Errorf("the envelope came as %v", first)
	}
}

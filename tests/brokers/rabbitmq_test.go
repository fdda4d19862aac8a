package brokers

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/amqpbroker"
	"github.com/gptmesh/gptmesh/pkg/events/eventstest"
	"github.com/gptmesh/gptmesh/tests/brokers/rabbitmq"
)

// startRabbitMQ starts a server for a test, and skips the test where the machine
// has none, unless GPTMESH_TEST_BROKERS asks for all.
func startRabbitMQ(t *testing.T) *rabbitmq.Server {
	t.Helper()
	s, err := rabbitmq.New(t.TempDir())
	if errors.Is(err, rabbitmq.ErrNoServer) && os.Getenv("GPTMESH_TEST_BROKERS") != "all" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRabbitMQ(t *testing.T) {
	t.Parallel()
	s := startRabbitMQ(t)
	var prefixes atomic.Int32
	t.Run("suite", func(t *testing.T) { // over before the server goes
		eventstest.Run(t, func(t *testing.T) eventstest.Harness {
			p := newProxy(t, s.Address())
			prefix := "t" + strconv.Itoa(int(prefixes.Add(1)))
			return eventstest.Harness{
				Open:     func(t *testing.T) events.Broker { return openRabbitMQ(t, p.address(), prefix) },
				Down:     func(*testing.T) { p.set(true) },
				Up:       func(*testing.T) { p.set(false) },
				TooLarge: rabbitmq.MaxMessageSize,
			}
		})
	})
}

func openRabbitMQ(t *testing.T, address, prefix string) events.Broker {
	t.Helper()
	b, err := amqpbroker.New(amqpbroker.Config{URL: rabbitmq.URL(address), Prefix: prefix, Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// TestRabbitMQIsKilled: what was confirmed before the server died is delivered
// when it lives again.
func TestRabbitMQIsKilled(t *testing.T) {
	t.Parallel()
	if os.Getenv("GPTMESH_TEST_BROKERS") != "all" {
		t.Skip("make test-brokers runs it: it takes a server of its own")
	}
	s := startRabbitMQ(t)
	b := openRabbitMQ(t, s.Address(), "killed")
	publish := func(from, to int) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for n := from; n <= to; {
			taken, err := b.Publish(t.Context(), []*events.Event{eventstest.Event("session.updated", "a", n)})
			if n += taken; err != nil {
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
	got := make(chan *events.Event, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Subscribe(ctx, events.Subscription{Group: "readers", Start: events.Start{Earliest: true}},
			func(_ context.Context, e *events.Event) error { got <- e; return nil })
	}()
	seen := map[string]bool{}
	await := func(n int) {
		t.Helper()
		for len(seen) < n {
			select {
			case e := <-got:
				seen[e.GetId()] = true
			case <-time.After(time.Minute):
				t.Fatalf("%d of %d events came", len(seen), n)
			}
		}
	}
	publish(1, 20)
	await(5)
	time.Sleep(5 * time.Second) // a server that is killed right after a queue was made does not find it again
	s.Kill()
	if taken, err := b.Publish(t.Context(), []*events.Event{eventstest.Event("session.updated", "a", 99)}); taken != 0 || err == nil {
		t.Errorf("published to a dead server: %d, %v", taken, err)
	}
	starting, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	if err := s.Start(starting); err != nil {
		t.Fatal(err)
	}
	publish(21, 40)
	await(40)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

package chaos

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/natsbroker"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/nats-io/nats-server/v2/server"
)

// broker is a NATS server that keeps what it has acknowledged, and can go away.
type broker struct {
	t       *testing.T
	options server.Options
	running *server.Server
	address string
}

func startBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{t: t, address: harness.Address(t)}
	host, port, err := net.SplitHostPort(b.address)
	if err != nil {
		t.Fatal(err)
	}
	b.options = server.Options{Host: host, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	if b.options.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	options := b.options
	running, err := server.NewServer(&options)
	if err != nil {
		b.t.Fatal(err)
	}
	running.Start()
	if !running.ReadyForConnections(harness.Patience) {
		b.t.Fatal("the broker does not start")
	}
	b.running = running
}

func (b *broker) stop() {
	b.running.Shutdown()
	b.running.WaitForShutdown()
}

// restart takes the broker away for a while.
func (b *broker) restart(away time.Duration) {
	b.t.Helper()
	b.stop()
	time.Sleep(away)
	b.start()
}

// delivered compares what the broker holds with the ends of requests: all must
// be told there too.
func (c *checker) delivered(ctx context.Context, b *broker) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	client, err := natsbroker.New(natsbroker.Config{URL: "nats://" + b.address})
	if err != nil {
		c.t.Errorf("the broker cannot be read: %v", err)
		return
	}
	defer client.Close()
	var mu sync.Mutex
	missing := map[string]string{}
	for id, want := range c.ends {
		missing[id] = want
	}
	all := len(missing)
	err = client.Subscribe(ctx, events.Subscription{Subjects: []string{"request.*"}, Start: events.Start{Earliest: true}},
		func(_ context.Context, e *events.Event) error {
			payload, err := e.GetPayload().UnmarshalNew()
			if err != nil {
				return err
			}
			of, ok := payload.(interface{ GetRequestId() string })
			mu.Lock()
			defer mu.Unlock()
			if ok && missing[of.GetRequestId()] == e.GetType() {
				delete(missing, of.GetRequestId())
			}
			if len(missing) == 0 {
				cancel()
			}
			return nil
		})
	if err != nil {
		c.t.Errorf("the broker cannot be read: %v", err)
	}
	for id, want := range missing {
		c.count(&c.report.Undelivered, "request %s ended with %s, and the broker was not told", id, want)
	}
	c.report.Delivered = all - len(missing)
}

// Package brokers runs the suite of events.Broker over the brokers that need a
// server.
package brokers

import (
	"net"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/eventstest"
	"github.com/gptmesh/gptmesh/pkg/events/natsbroker"
	"github.com/nats-io/nats-server/v2/server"
)

// natsServer is a NATS server that can be stopped and started again.
type natsServer struct {
	options *server.Options
	running *server.Server
}

func (s *natsServer) start(t *testing.T) {
	t.Helper()
	options := *s.options
	running, err := server.NewServer(&options)
	if err != nil {
		t.Fatal(err)
	}
	running.Start()
	if !running.ReadyForConnections(20 * time.Second) {
		t.Fatal("nats-server does not start")
	}
	s.running = running
}

func (s *natsServer) stop() {
	s.running.Shutdown()
	s.running.WaitForShutdown()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestNATS(t *testing.T) {
	t.Parallel()
	eventstest.Run(t, func(t *testing.T) eventstest.Harness {
		s := &natsServer{options: &server.Options{
			Host: "127.0.0.1", Port: freePort(t), JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		}}
		s.start(t)
		t.Cleanup(func() { s.stop() })
		return eventstest.Harness{
			Open: func(t *testing.T) events.Broker {
				b, err := natsbroker.New(natsbroker.Config{URL: s.running.ClientURL()})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = b.Close() })
				return b
			},
			Down:     func(*testing.T) { s.stop() },
			Up:       s.start,
			TooLarge: server.MAX_PAYLOAD_SIZE,
		}
	})
}

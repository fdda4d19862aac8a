package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/events/eventserver"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"google.golang.org/grpc"
)

// eventSettings say what becomes of domain events.
type eventSettings struct {
	// Driver is what carries events to the rooms that wait for them: "embedded"
	// needs no server; "nats", "kafka" and "rabbitmq" use one, see URL; "none" turns
	// events off.
	Driver string `yaml:"driver"`
	// URL is the server: "nats://host:4222", "kafka://host:9092",
	// "amqp://user:password@host:5672/vhost". NATS and Kafka may have several, with
	// commas. Required with a driver that needs one.
	URL string `yaml:"url" secret:"true"`
	// Prefix begins the names of streams, topics and queues on the server.
	Prefix string `yaml:"prefix"`

	embedded.Config `yaml:",inline"`
}

func (s eventSettings) validate() error {
	switch s.Driver {
	case "embedded", "none":
	case "nats", "kafka", "rabbitmq":
		if s.URL == "" {
			return fmt.Errorf("url: driver %q needs the URL of a server", s.Driver)
		}
	default:
		return fmt.Errorf("driver: %q: want embedded, nats, kafka, rabbitmq or none", s.Driver)
	}
	if s.Prefix == "" || strings.ContainsAny(s.Prefix, ".*> \t") {
		return fmt.Errorf("prefix: %q: want a word", s.Prefix)
	}
	return s.Config.Validate()
}

// eventHub is the events of a process: the log of what its rooms tell, and the
// broker that carries it to rooms that wait for it.
type eventHub struct {
	h        *host
	lite     map[string]*sqlite.DB
	pg       map[string]*postgres.DB
	log      *embedded.Broker
	broker   events.Broker // log, or one with a server
	service  *eventserver.Service
	ready    chan struct{} // closed when log and broker are there
	life     context.Context
	end      context.CancelFunc
	relaying sync.WaitGroup
}

func newEventHub(h *host) *eventHub {
	e := &eventHub{h: h, lite: map[string]*sqlite.DB{}, pg: map[string]*postgres.DB{}, ready: make(chan struct{})}
	e.life, e.end = context.WithCancel(context.Background())
	return e
}

// off says that nothing is told.
func (e *eventHub) off() bool { return e.h.settings.Events.Driver == "none" }

// recorder is what a room records its events with; nil where they are off.
func (e *eventHub) recorder(room string) *events.Recorder {
	if e.off() {
		return nil
	}
	if e.h.settings.Database.URL != "" {
		return events.NewRecorder(room).Plain() // replicas are restarted one after the other
	}
	return events.NewRecorder(room)
}

// subscriber is what a room subscribes with; nil where events are off. It
// delivers once the process has started.
func (e *eventHub) subscriber(room string) events.Subscriber {
	if e.off() {
		return nil
	}
	return hubSubscriber{e, room}
}

// add makes the outbox of a room's store a part of the log.
func (e *eventHub) add(room string, lite *sqlite.DB, pg *postgres.DB) {
	if lite != nil {
		e.lite[room] = lite
	} else {
		e.pg[room] = pg
	}
}

// eventStore is the name of the store of the log.
const eventStore = "events"

// open makes the log and the broker, and serves the log. It comes after the
// rooms were made.
func (e *eventHub) open(ctx context.Context) error {
	if e.off() || len(e.lite)+len(e.pg) == 0 {
		close(e.ready)
		return nil
	}
	h, s := e.h, e.h.settings.Events
	log := h.stores[eventStore]
	metrics, err := events.NewMetrics(h.registry)
	if err != nil {
		return err
	}
	if e.log, err = embedded.New(s.Config, embedded.Deps{
		SQLite: log.lite, Postgres: log.pg, RoomsSQLite: e.lite, RoomsPostgres: e.pg, Logger: h.logger, Metrics: metrics,
	}); err != nil {
		return err
	}
	e.broker = e.log
	if s.Driver != "embedded" {
		if e.broker, err = openBroker(s, h.instance, h.logger, metrics); err != nil {
			return fmt.Errorf("events: %w", err)
		}
	}
	e.service = eventserver.New(e.log, e.broker)
	e.service.Register(h.server)
	h.group.Add(lifecycle.Component{Name: "events", Start: e.start, Close: e.close})
	return nil
}

func (e *eventHub) start(ctx context.Context) error {
	if err := e.log.Start(ctx); err != nil {
		return err
	}
	if e.broker != events.Broker(e.log) {
		e.relaying.Go(func() { _ = e.log.Relay(e.life, e.h.settings.Events.Driver, e.broker) })
	}
	close(e.ready)
	return nil
}

func (e *eventHub) close() error {
	e.end()
	e.relaying.Wait()
	err := e.log.Close()
	if e.broker != events.Broker(e.log) {
		err = errors.Join(err, e.broker.Close())
	}
	return err
}

// conn is a connection to a process that has the room, where this one has not.
func (e *eventHub) conn(room string) *grpc.ClientConn {
	if e.h.runs(room) {
		return nil
	}
	return e.h.conns[room]
}

// hubSubscriber subscribes for one room.
type hubSubscriber struct {
	e    *eventHub
	room string
}

// Subscribe implements events.Subscriber. On embedded stores of several
// processes, the events of a room elsewhere come from the log of its process.
func (s hubSubscriber) Subscribe(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	select {
	case <-s.e.ready:
	case <-ctx.Done():
		return nil
	}
	here, elsewhere := sub, map[string][]string{}
	here.Subjects = nil
	for _, subject := range sub.Subjects {
		topic, _, _ := strings.Cut(subject, ".")
		if s.e.h.settings.Events.Driver == "embedded" && len(s.e.pg) == 0 && s.e.conn(topic) != nil {
			elsewhere[topic] = append(elsewhere[topic], subject)
		} else {
			here.Subjects = append(here.Subjects, subject)
		}
	}
	var one sync.Mutex // a handler is called once at a time
	alone := func(ctx context.Context, event *events.Event) error {
		one.Lock()
		defer one.Unlock()
		return handle(ctx, event)
	}
	var running sync.WaitGroup
	for topic, subjects := range elsewhere {
		remote := &eventserver.Remote{Service: eventv1.RemoteEventService(s.e.conn(topic)), Room: s.room, Logger: s.e.h.logger}
		there := sub
		there.Subjects = subjects
		running.Go(func() { _ = remote.Subscribe(ctx, there, alone) })
	}
	defer running.Wait()
	if s.e.broker != nil && (len(here.Subjects) > 0 || len(sub.Subjects) == 0) {
		return s.e.broker.Subscribe(ctx, here, alone)
	}
	<-ctx.Done()
	return nil
}

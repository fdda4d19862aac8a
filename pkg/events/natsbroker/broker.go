// Package natsbroker carries events over NATS JetStream, version 2.10 or newer.
//
// One stream holds all events, for Config.MaxAge; another the dead letters. A
// group is a durable consumer with one message under way at a time, so that the
// order of a key holds over all processes of the group. The server drops
// repetitions by the event's id.
package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

// Defaults of [Config].
const (
	DefaultPrefix = "gptmesh"
	DefaultMaxAge = 7 * 24 * time.Hour
)

// Times of the conversation with the server.
const (
	ackWait     = 30 * time.Second // an event that nobody speaks for goes to another
	callTimeout = 5 * time.Second
	nextWait    = 5 * time.Second
	again       = 200 * time.Millisecond
)

// tooLong is the server's code for a message above the stream's bound.
const tooLong = 10054

// letterBytes is what a dead letter, with its error, has beside the event: what
// is taken must fit as one too.
const letterBytes = 8 << 10

// Config says which server.
type Config struct {
	// URL is one server or several, with commas: "nats://host:4222". Required.
	URL string
	// Prefix begins the names of streams and subjects. Default DefaultPrefix.
	Prefix string
	// MaxAge is how long events are kept. Default DefaultMaxAge.
	MaxAge time.Duration
	// Replicas is how many servers of a cluster hold the streams. Default 1.
	Replicas int
	// Name is what the server calls this connection.
	Name string
	// Options are further options of the connection.
	Options []nats.Option
	// Logger is for what happens outside of calls. Nil discards it.
	Logger *slog.Logger
	// Metrics count dead letters. Nil counts nothing.
	Metrics *events.Metrics
}

// Broker implements events.Broker.
type Broker struct {
	cfg  Config
	conn *nats.Conn
	js   jetstream.JetStream
	life *events.Life

	letterIDs events.LetterIDs

	mu   sync.Mutex
	made bool // the streams
}

// New makes the broker. It connects in the background.
func New(cfg Config) (*Broker, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = DefaultPrefix
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = DefaultMaxAge
	}
	cfg.Replicas = max(cfg.Replicas, 1)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	options := append([]nats.Option{
		nats.Name(cfg.Name), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(again),
		nats.ReconnectBufSize(-1), nats.Timeout(callTimeout), // what cannot be sent fails, and is kept by whoever sends it
	}, cfg.Options...)
	conn, err := nats.Connect(cfg.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	b := &Broker{life: events.NewLife(), cfg: cfg, conn: conn, js: js}
	return b, nil
}

// Close implements events.Broker.
func (b *Broker) Close() error {
	b.life.End()
	b.conn.Close()
	return nil
}

func (b *Broker) stream() string { return b.cfg.Prefix + "_events" }
func (b *Broker) dead() string   { return b.cfg.Prefix + "_dead_letters" }

func (b *Broker) subject(kind string) string   { return b.cfg.Prefix + ".events." + kind }
func (b *Broker) requeued(group string) string { return b.cfg.Prefix + ".requeued." + group }
func (b *Broker) deadOf(group string) string   { return b.cfg.Prefix + ".dead." + group }
func (b *Broker) subjects(list []string) []string {
	if len(list) == 0 {
		return []string{b.subject(">")}
	}
	out := make([]string, 0, len(list)+1)
	for _, pattern := range list {
		out = append(out, b.subject(pattern))
	}
	return out
}

// ensure makes the streams where they are missing.
func (b *Broker) ensure(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, stream := range []jetstream.StreamConfig{
		{Name: b.stream(), Subjects: []string{b.subject(">"), b.requeued("*")}, MaxAge: b.cfg.MaxAge, Replicas: b.cfg.Replicas, Duplicates: 2 * time.Minute},
		{Name: b.dead(), Subjects: []string{b.deadOf("*")}, Replicas: b.cfg.Replicas},
	} {
		if _, err := b.js.CreateOrUpdateStream(ctx, stream); err != nil {
			return fmt.Errorf("nats: stream %s: %w", stream.Name, err)
		}
	}
	b.made = true
	return nil
}

// Publish implements events.Broker. Each event waits for the one before it: if
// one is lost, none overtakes it.
func (b *Broker) Publish(ctx context.Context, list []*events.Event) (taken int, err error) {
	if err := b.ensure(ctx); err != nil {
		return 0, err
	}
	for _, event := range list {
		body, err := proto.Marshal(event)
		if err != nil {
			return taken, events.Reject(err)
		}
		if bound := b.conn.MaxPayload(); bound > 0 && int64(len(body))+letterBytes > bound {
			return taken, events.Reject(fmt.Errorf("nats: the event has %d bytes, and the server takes %d: %w", len(body), bound, nats.ErrMaxPayload))
		}
		if err := b.send(ctx, b.subject(event.GetType()), event.GetId(), body); err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}

func (b *Broker) send(ctx context.Context, subject, id string, body []byte) error {
	if !b.conn.IsConnected() {
		return errors.New("nats: not connected")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	message := nats.NewMsg(subject)
	message.Data = body
	message.Header.Set(nats.MsgIdHdr, id)
	_, err := b.js.PublishMsg(ctx, message)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("nats: publish: %w", err)
	var refused *jetstream.APIError
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) || errors.As(err, &refused) && refused.ErrorCode == tooLong {
		return events.Reject(err)
	}
	return err
}

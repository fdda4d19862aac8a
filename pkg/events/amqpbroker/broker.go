// Package amqpbroker carries events over RabbitMQ, version 3.9 or newer.
//
// A topic exchange takes all events, with their types as routing keys, so that
// others than the mesh may bind queues of their own. Bound to it is a stream,
// which keeps them for Config.MaxAge: from it groups are delivered and replayed,
// for a queue forgets what it has delivered. One member of a group reads at a
// time: the one that could declare the group's exclusive queue, which the server
// removes when its connection ends. How far the group is lies in a quorum queue
// of one message. Dead letters are a stream too; events that are put back wait
// in a quorum queue of their group. Everything is published with confirms.
package amqpbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Defaults of [Config].
const (
	DefaultPrefix = "gptmesh"
	DefaultMaxAge = 7 * 24 * time.Hour
)

// Times of the conversation with the server.
const (
	callTimeout = 10 * time.Second
	heartbeat   = 10 * time.Second
	again       = 200 * time.Millisecond
)

// segmentBytes is how much of a stream is removed at a time.
const segmentBytes = 64 << 20

// Config says which server.
type Config struct {
	// URL is the server: "amqp://user:password@host:5672/vhost". Required.
	URL string
	// Prefix begins the names of exchanges and queues. Default DefaultPrefix.
	Prefix string
	// MaxAge is how long events are kept. Default DefaultMaxAge.
	MaxAge time.Duration
	// Name is what the server calls the connections.
	Name string
	// Logger is for what happens outside of calls. Nil discards it.
	Logger *slog.Logger
	// Metrics count dead letters. Nil counts nothing.
	Metrics *events.Metrics
}

// Broker implements events.Broker.
type Broker struct {
	cfg  Config
	life *events.Life

	letterIDs events.LetterIDs

	mu  sync.Mutex // of what follows; held while publishing, which is in order
	out *link      // nil while there is none
}

// New makes the broker. It connects when it is first used.
func New(cfg Config) (*Broker, error) {
	if _, err := amqp.ParseURI(cfg.URL); err != nil {
		return nil, fmt.Errorf("amqp: %w", err)
	}
	if cfg.Prefix == "" {
		cfg.Prefix = DefaultPrefix
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = DefaultMaxAge
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Broker{life: events.NewLife(), cfg: cfg}
	return b, nil
}

// Close implements events.Broker.
func (b *Broker) Close() error {
	b.life.End()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out != nil {
		b.out.close()
		b.out = nil
	}
	return nil
}

func (b *Broker) log() string                  { return b.cfg.Prefix + ".events" } // the exchange, and its stream
func (b *Broker) dead() string                 { return b.cfg.Prefix + ".dead_letters" }
func (b *Broker) lock(group string) string     { return b.cfg.Prefix + ".holder." + group }
func (b *Broker) place(group string) string    { return b.cfg.Prefix + ".place." + group }
func (b *Broker) requeued(group string) string { return b.cfg.Prefix + ".requeued." + group }

// link is a connection with a channel for what is done one after the other.
// Publishing on it is confirmed.
type link struct {
	conn     *amqp.Connection
	ch       *amqp.Channel
	returned chan amqp.Return
	closed   chan *amqp.Error // why the server closed the channel
}

func (l *link) close() { _ = l.conn.CloseDeadline(time.Now().Add(time.Second)) }

// connect makes a connection. It ends with the life of the broker.
func (b *Broker) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := amqp.DialConfig(b.cfg.URL, amqp.Config{
		Heartbeat: heartbeat, Locale: "en_US", Properties: amqp.Table{"connection_name": b.cfg.Name, "product": "gptmesh"},
		Dial: func(network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			deadline, _ := ctx.Deadline()
			return c, c.SetDeadline(deadline) // lifted by the client when the connection stands
		},
	})
	if err != nil {
		return nil, fmt.Errorf("amqp: %w", err)
	}
	l := &link{conn: conn}
	if err := l.open(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// open opens the channel, anew where the server has closed it.
func (l *link) open() error {
	ch, err := l.conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		return fmt.Errorf("amqp: channel: %w", err)
	}
	l.ch, l.returned, l.closed = ch, ch.NotifyReturn(make(chan amqp.Return, 512)), ch.NotifyClose(make(chan *amqp.Error, 1))
	return nil
}

// declare makes a durable queue. Where there is one with other arguments, made
// under another configuration, it is taken as it is.
func (l *link) declare(name string, args amqp.Table) error {
	_, err := l.ch.QueueDeclare(name, true, false, false, false, args)
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.PreconditionFailed {
		if err := l.open(); err != nil {
			return err
		}
		_, err = l.ch.QueueDeclarePassive(name, true, false, false, false, nil)
	}
	if err != nil {
		return fmt.Errorf("amqp: queue %s: %w", name, err)
	}
	return nil
}

// topology makes what all groups share.
func (b *Broker) topology(l *link) error {
	if err := l.ch.ExchangeDeclare(b.log(), amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return fmt.Errorf("amqp: exchange: %w", err)
	}
	stream := amqp.Table{"x-queue-type": "stream", "x-stream-max-segment-size-bytes": segmentBytes}
	if err := l.declare(b.dead(), stream); err != nil {
		return err
	}
	aged := amqp.Table{"x-max-age": fmt.Sprintf("%ds", int64(b.cfg.MaxAge.Seconds()))}
	for key, value := range stream {
		aged[key] = value
	}
	if err := l.declare(b.log(), aged); err != nil {
		return err
	}
	if err := l.ch.QueueBind(b.log(), "#", b.log(), false, nil); err != nil {
		return fmt.Errorf("amqp: bind: %w", err)
	}
	return nil
}

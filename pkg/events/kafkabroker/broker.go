// Package kafkabroker carries events over Kafka.
//
// One topic holds all events, partitioned by key, so that the order of a key
// holds; how long they are kept is the topic's retention. A group is a consumer
// group: each member handles one event at a time, and the partitions are shared
// between them. Dead letters are a compacted topic: one that is gone is a
// tombstone. Events that are put back are a topic of their group.
package kafkabroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Defaults of [Config].
const (
	DefaultPrefix     = "gptmesh"
	DefaultPartitions = 12
	DefaultMaxAge     = 7 * 24 * time.Hour
)

// Times of the conversation with the servers.
const (
	callTimeout = 5 * time.Second
	giveUp      = 3 * time.Second // before a call's time is up, so that its error says why
	again       = 200 * time.Millisecond
)

// Config says which servers.
type Config struct {
	// URL is one server or several, with commas: "kafka://host:9092,host2:9092".
	// The scheme "kafkas" is TLS. With "user:password@" before the servers the
	// client says who it is by SCRAM-SHA-256, or as "?sasl=scram-sha-512" or
	// "?sasl=plain" behind them tells. Required.
	URL string
	// Prefix begins the names of topics and groups. Default DefaultPrefix.
	Prefix string
	// Partitions is how many partitions the topic of events is made with. Default
	// DefaultPartitions.
	Partitions int32
	// MaxAge is how long the topic of events, where it is made, keeps them. Default
	// DefaultMaxAge.
	MaxAge time.Duration
	// Replicas is how many servers hold each partition. Default: the servers'.
	Replicas int16
	// Name is what the servers call this client.
	Name string
	// Options are further options of the clients.
	Options []kgo.Opt
	// Logger is for what happens outside of calls. Nil discards it.
	Logger *slog.Logger
	// Metrics count dead letters. Nil counts nothing.
	Metrics *events.Metrics
}

// Broker implements events.Broker.
type Broker struct {
	cfg      Config
	servers  []kgo.Opt
	producer *kgo.Client
	life     *events.Life

	letterIDs events.LetterIDs

	mu   sync.Mutex
	made map[string]bool // topics
}

// New makes the broker. It connects when it is first used.
func New(cfg Config) (*Broker, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = DefaultPrefix
	}
	if cfg.Partitions <= 0 {
		cfg.Partitions = DefaultPartitions
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = DefaultMaxAge
	}
	if cfg.Replicas <= 0 {
		cfg.Replicas = -1
	}
	if cfg.Name == "" {
		cfg.Name = "gptmesh"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	servers, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	b := &Broker{life: events.NewLife(), cfg: cfg, servers: servers, made: map[string]bool{}}
	b.producer, err = b.client(kgo.RetryTimeout(giveUp), kgo.RecordDeliveryTimeout(callTimeout), kgo.ProducerBatchMaxBytes(maxRecord), kgo.AllowIdempotentProduceCancellation())
	return b, err
}

func (b *Broker) client(options ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(slices.Concat(b.servers, []kgo.Opt{
		kgo.ClientID(b.cfg.Name), kgo.RetryBackoffFn(func(int) time.Duration { return again }), kgo.MetadataMinAge(again),
	}, options, b.cfg.Options)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return client, nil
}

// Close implements events.Broker.
func (b *Broker) Close() error {
	b.life.End()
	b.producer.Close()
	return nil
}

func (b *Broker) topic() string                { return b.cfg.Prefix + ".events" }
func (b *Broker) dead() string                 { return b.cfg.Prefix + ".dead-letters" }
func (b *Broker) requeued(group string) string { return b.cfg.Prefix + ".requeued." + group }

// ensure makes a topic where it is missing.
func (b *Broker) ensure(ctx context.Context, topic string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made[topic] {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, 1, b.cfg.Replicas
	set := func(name, value string) {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, &value
		wanted.Configs = append(wanted.Configs, config)
	}
	switch topic {
	case b.topic():
		wanted.NumPartitions = b.cfg.Partitions
		set("retention.ms", strconv.FormatInt(b.cfg.MaxAge.Milliseconds(), 10))
	case b.dead():
		set("cleanup.policy", "compact")
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, wanted), int32(callTimeout.Milliseconds())
	resp, err := req.RequestWith(ctx, b.producer)
	if err != nil {
		return fmt.Errorf("kafka: topic %s: %w", topic, err)
	}
	for _, made := range resp.Topics {
		if err := kerr.ErrorForCode(made.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("kafka: topic %s: %w", topic, err)
		}
	}
	b.made[topic] = true
	return nil
}

// gone notes of an error whether it says that a topic was removed, which is then
// made anew by whoever needs it next.
func (b *Broker) gone(topic string, err error) bool {
	if !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.UnknownTopicID) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.made, topic)
	b.producer.PurgeTopicsFromClient(topic) // with the id that it had
	return true
}

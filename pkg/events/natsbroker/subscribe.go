package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

// Subscribe implements events.Subscriber.
func (b *Broker) Subscribe(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	sub, err := sub.WithDefaults()
	if err != nil {
		return err
	}
	ctx, leave := b.life.Join(ctx)
	defer leave()
	from := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy}
	resolved := false
	for ; ctx.Err() == nil; events.Pause(ctx, again) {
		var err error
		if !resolved {
			if from, err = b.start(ctx, sub.Start); errors.Is(err, events.ErrUnknownID) {
				return err
			}
			resolved = err == nil
		}
		if err == nil {
			err = b.consume(ctx, sub, &from, handle)
		}
		if err != nil && ctx.Err() == nil {
			b.cfg.Logger.Warn("events cannot be received; trying again", "group", sub.Group, "error", err)
		}
	}
	return nil
}

// start finds a start in the stream.
func (b *Broker) start(ctx context.Context, start events.Start) (jetstream.ConsumerConfig, error) {
	switch {
	case start.Earliest:
		return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}, nil
	case !start.Time.IsZero():
		return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &start.Time}, nil
	case start.AfterID != "":
		seq, err := b.sequence(ctx, start.AfterID)
		return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: seq + 1}, err
	}
	return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy}, nil
}

// idSlack is how much earlier than an event's id it may have been published.
const idSlack = 5 * time.Second

// sequence finds an event by its id.
func (b *Broker) sequence(ctx context.Context, id string) (uint64, error) {
	if err := b.ensure(ctx); err != nil {
		return 0, err
	}
	stream, err := b.js.Stream(ctx, b.stream())
	if err != nil {
		return 0, err
	}
	last := stream.CachedInfo().State.LastSeq
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
	if t, ok := ids.Time("evt", id); ok {
		t = t.Add(-idSlack)
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &t
	}
	consumer, err := stream.OrderedConsumer(ctx, cfg)
	if err != nil {
		return 0, err
	}
	for ctx.Err() == nil && last > 0 {
		m, err := consumer.Next(jetstream.FetchMaxWait(time.Second))
		if errors.Is(err, nats.ErrTimeout) || errors.Is(err, jetstream.ErrNoMessages) {
			break // nothing so late
		}
		if err != nil {
			return 0, err
		}
		at, err := m.Metadata()
		if err != nil {
			return 0, err
		}
		if m.Headers().Get(nats.MsgIdHdr) == id {
			return at.Sequence.Stream, nil
		}
		if at.Sequence.Stream >= last {
			break
		}
	}
	return 0, errors.Join(events.ErrUnknownID, ctx.Err())
}

// consume receives until an error or the end of ctx. Without a group, from moves
// on, so that the next try goes on behind what was handled.
func (b *Broker) consume(ctx context.Context, sub events.Subscription, from *jetstream.ConsumerConfig, handle events.Handler) error {
	if err := b.ensure(ctx); err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	cfg := *from
	cfg.AckPolicy, cfg.AckWait, cfg.MaxAckPending = jetstream.AckExplicitPolicy, ackWait, 1
	cfg.FilterSubjects = b.subjects(sub.Subjects)
	if sub.Group == "" {
		cfg.InactiveThreshold = time.Minute
		if cfg.DeliverPolicy == jetstream.DeliverNewPolicy {
			// As of the first try, whenever the connection stands.
			now := time.Now()
			from.DeliverPolicy, from.OptStartTime = jetstream.DeliverByStartTimePolicy, &now
		}
	} else {
		cfg.Durable = sub.Group
		cfg.FilterSubjects = append(cfg.FilterSubjects, b.requeued(sub.Group))
	}
	consumer, err := b.consumer(calling, cfg)
	if err != nil {
		return fmt.Errorf("nats: consumer: %w", err)
	}
	for ctx.Err() == nil {
		m, err := consumer.Next(jetstream.FetchMaxWait(nextWait), jetstream.FetchHeartbeat(time.Second))
		switch {
		case errors.Is(err, nats.ErrTimeout) || errors.Is(err, jetstream.ErrNoMessages):
			continue
		case err != nil:
			return err
		}
		if ctx.Err() != nil {
			_ = m.Nak()
			break
		}
		if err := b.take(ctx, sub, m, handle); err != nil {
			return err
		}
		if at, err := m.Metadata(); err == nil && sub.Group == "" {
			from.DeliverPolicy, from.OptStartSeq, from.OptStartTime = jetstream.DeliverByStartSequencePolicy, at.Sequence.Stream+1, nil
		}
	}
	return nil
}

// consumer finds or makes a consumer. One that is there keeps its place.
func (b *Broker) consumer(ctx context.Context, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	if cfg.Durable == "" {
		return b.js.CreateConsumer(ctx, b.stream(), cfg)
	}
	consumer, err := b.js.Consumer(ctx, b.stream(), cfg.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if consumer, err = b.js.CreateConsumer(ctx, b.stream(), cfg); errors.Is(err, jetstream.ErrConsumerExists) {
			consumer, err = b.js.Consumer(ctx, b.stream(), cfg.Durable)
		}
	}
	if err != nil {
		return nil, err
	}
	present := consumer.CachedInfo().Config
	if slices.Equal(present.FilterSubjects, cfg.FilterSubjects) {
		return consumer, nil
	}
	present.FilterSubjects = cfg.FilterSubjects
	return b.js.UpdateConsumer(ctx, b.stream(), present)
}

// take handles one message and acknowledges it.
func (b *Broker) take(ctx context.Context, sub events.Subscription, m jetstream.Msg, handle events.Handler) error {
	event := new(events.Event)
	attempts, err := 0, proto.Unmarshal(m.Data(), event)
	if err == nil {
		beating, stop := context.WithCancel(ctx)
		beaten := make(chan struct{})
		go func() { // the message stays with this one however long it takes
			defer close(beaten)
			for events.Pause(beating, ackWait/3); beating.Err() == nil; events.Pause(beating, ackWait/3) {
				_ = m.InProgress()
			}
		}()
		attempts, err = events.Deliver(ctx, sub, event, 0, handle)
		stop()
		<-beaten
	}
	if err != nil && ctx.Err() != nil {
		_ = m.Nak() // for another, at once
		return nil
	}
	if err != nil {
		parking, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		if sub.Group == "" {
			b.cfg.Logger.Warn("an event is passed over", "event_id", event.GetId(), "type", event.GetType(), "attempts", attempts, "error", err)
		} else if err := b.park(parking, sub.Group, event, err, attempts); err != nil {
			_ = m.Nak()
			return err
		}
	}
	return acknowledge(ctx, m)
}

// acknowledge says that a message is done, again and again where the server is away:
// until it hears so, or ackWait is over, it gives out nothing that comes behind.
func acknowledge(ctx context.Context, m jetstream.Msg) error {
	for began := time.Now(); ; events.Pause(ctx, again) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		err := m.DoubleAck(bounded)
		cancel()
		if err == nil || ctx.Err() != nil || time.Since(began) > ackWait {
			return err
		}
	}
}

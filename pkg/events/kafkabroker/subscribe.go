package kafkabroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"
)

// batch is how many records are handled between two commits, and before the
// group may share its partitions anew.
const batch = 16

// Times of a group. A member that dies is followed after sessionTimeout; one
// whose handler takes longer than rebalanceTimeout is followed too, while it
// still handles.
const (
	sessionTimeout   = 10 * time.Second
	rebalanceTimeout = 5 * time.Minute
)

// Subscribe implements events.Subscriber.
func (b *Broker) Subscribe(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	sub, err := sub.WithDefaults()
	if err != nil {
		return err
	}
	ctx, leave := b.life.Join(ctx)
	defer leave()
	r := &reading{b: b, sub: sub, handle: handle}
	since := time.Now()
	for try := 0; ctx.Err() == nil; try++ {
		start := sub.Start
		if start == (events.Start{}) && try > 0 {
			start.Time = since // what came while there was no server is newer
		}
		if r.anew {
			start = events.Start{Earliest: true}
		}
		r.from, err = b.locate(ctx, start)
		if errors.Is(err, events.ErrUnknownID) {
			return err
		}
		if err == nil {
			err = r.run(ctx)
		}
		if err != nil && ctx.Err() == nil {
			b.cfg.Logger.Warn("events cannot be received; trying again", "group", sub.Group, "error", err)
			events.Pause(ctx, again)
		}
	}
	return nil
}

// place is where a subscription begins.
type place struct {
	partitions map[int32]kgo.Offset // where they are told apart
	others     kgo.Offset
}

func (p place) of(partition int32) kgo.Offset {
	if at, ok := p.partitions[partition]; ok {
		return at
	}
	return p.others
}

// idSlack is how much earlier than an event's id it may have been published.
const idSlack = 5 * time.Second

// locate finds a start.
func (b *Broker) locate(ctx context.Context, start events.Start) (place, error) {
	if err := b.ensure(ctx, b.topic()); err != nil {
		return place{}, err
	}
	switch {
	case start.Earliest:
		return place{others: kgo.NewOffset().AtStart()}, nil
	case !start.Time.IsZero():
		return place{others: kgo.NewOffset().AfterMilli(start.Time.UnixMilli())}, nil
	case start.AfterID != "":
		return b.behind(ctx, start.AfterID)
	}
	ends, err := b.ends(ctx, b.topic())
	from := place{partitions: map[int32]kgo.Offset{}, others: kgo.NewOffset().AtStart()} // partitions yet to come
	for partition, end := range ends {
		from.partitions[partition] = kgo.NewOffset().At(end)
	}
	return from, err
}

// behind finds the place behind an event: in its own partition right behind it,
// in others by the time at which it was published.
func (b *Broker) behind(ctx context.Context, id string) (from place, err error) {
	look := kgo.NewOffset().AtStart()
	if t, ok := ids.Time("evt", id); ok && t.Add(-idSlack).UnixMilli() > 0 {
		look = look.AfterMilli(t.Add(-idSlack).UnixMilli())
	}
	found := false
	err = b.read(ctx, b.topic(), look, func(r *kgo.Record) bool {
		if found = header(r, headerID) == id; found {
			from = place{
				partitions: map[int32]kgo.Offset{r.Partition: kgo.NewOffset().At(r.Offset + 1)},
				others:     kgo.NewOffset().AfterMilli(r.Timestamp.UnixMilli()),
			}
		}
		return !found
	})
	if err == nil && !found {
		err = events.ErrUnknownID
	}
	return from, err
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// reading is one subscription.
type reading struct {
	b      *Broker
	sub    events.Subscription
	handle events.Handler
	from   place
	anew   bool // the topic was removed: what is in its successor is newer

	mu    sync.Mutex
	fresh map[int32]kgo.EpochOffset // places that the group has not kept yet
}

// run receives until ctx ends. The client connects again by itself.
func (r *reading) run(ctx context.Context) error {
	options := []kgo.Opt{kgo.FetchMaxWait(500 * time.Millisecond)}
	if r.sub.Group == "" {
		ends, err := r.b.ends(ctx, r.b.topic())
		if err != nil {
			return err
		}
		partitions := map[int32]kgo.Offset{}
		for partition := range ends {
			partitions[partition] = r.from.of(partition)
		}
		options = append(options, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.b.topic(): partitions}))
	} else {
		requeued := r.b.requeued(r.sub.Group)
		if err := r.b.ensure(ctx, requeued); err != nil {
			return err
		}
		options = append(options, kgo.ConsumeTopics(r.b.topic(), requeued), kgo.ConsumerGroup(r.b.cfg.Prefix+"."+r.sub.Group),
			kgo.ConsumeStartOffset(unknown), kgo.AdjustFetchOffsetsFn(r.begin), kgo.OnPartitionsRevoked(r.forget), kgo.OnPartitionsLost(r.forget),
			kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
			kgo.SessionTimeout(sessionTimeout), kgo.RebalanceTimeout(rebalanceTimeout), kgo.HeartbeatInterval(time.Second))
	}
	client, err := r.b.client(options...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		polling, cancel := context.WithTimeout(ctx, time.Second)
		fetched := client.PollRecords(polling, batch)
		cancel()
		if err := r.report(ctx, fetched); err != nil {
			return err
		}
		r.commitFresh(ctx, client)
		handled := r.take(ctx, fetched.Records())
		if r.sub.Group == "" {
			continue
		}
		if len(handled) > 0 {
			r.commit(ctx, client, handled)
		}
		if ctx.Err() == nil {
			client.AllowRebalance()
		}
	}
	return nil
}

// unknown is the place of a partition that the group has none for.
var unknown = kgo.NewOffset().AtStart()

// begin gives the partitions that the group has no place for the start that was
// asked for.
func (r *reading) begin(_ context.Context, places map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for partition, at := range places[r.b.topic()] {
		if at.EpochOffset().Offset >= 0 {
			continue
		}
		from := r.from.of(partition)
		places[r.b.topic()][partition] = from
		if from.EpochOffset().Offset >= 0 {
			r.mu.Lock()
			if r.fresh == nil {
				r.fresh = map[int32]kgo.EpochOffset{}
			}
			r.fresh[partition] = kgo.EpochOffset{Epoch: -1, Offset: from.EpochOffset().Offset}
			r.mu.Unlock()
		}
	}
	return places, nil
}

// forget drops the places of partitions that another has now.
func (r *reading) forget(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, partition := range gone[r.b.topic()] {
		delete(r.fresh, partition)
	}
}

// commitFresh keeps where the group begins, so that it misses nothing if it goes
// before anything came.
func (r *reading) commitFresh(ctx context.Context, client *kgo.Client) {
	r.mu.Lock()
	fresh := maps.Clone(r.fresh)
	r.mu.Unlock()
	if len(fresh) == 0 || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	kept := false
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{r.b.topic(): fresh},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
			kept = err == nil
		})
	if !kept {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for partition, at := range fresh {
		if r.fresh[partition] == at {
			delete(r.fresh, partition)
		}
	}
}

// report tells of what the client could not read, and goes on with. It returns an
// error where a topic is gone.
func (r *reading) report(ctx context.Context, fetched kgo.Fetches) (gone error) {
	if ctx.Err() != nil {
		return nil
	}
	fetched.EachError(func(topic string, partition int32, err error) {
		switch {
		case errors.Is(err, context.DeadlineExceeded): // nothing came
		case r.b.gone(topic, err):
			r.anew = r.anew || topic == r.b.topic()
			gone = fmt.Errorf("kafka: topic %s: %w", topic, err)
		default:
			r.b.cfg.Logger.Warn("events cannot be received; trying again", "group", r.sub.Group, "topic", topic, "partition", partition, "error", err)
		}
	})
	return gone
}

// take handles records in order and returns those that are done with, which are
// all unless ctx ends.
func (r *reading) take(ctx context.Context, records []*kgo.Record) []*kgo.Record {
	for i, record := range records {
		if !r.deliver(ctx, record) {
			return records[:i]
		}
	}
	return records
}

// deliver handles one record; false where ctx ended before it was done.
func (r *reading) deliver(ctx context.Context, record *kgo.Record) bool {
	if ctx.Err() != nil {
		return false
	}
	if record.Topic == r.b.topic() && len(r.sub.Subjects) > 0 && !events.MatchAny(r.sub.Subjects, header(record, headerType)) {
		return true
	}
	event := new(events.Event)
	attempts, err := 0, proto.Unmarshal(record.Value, event)
	if err == nil {
		if attempts, err = events.Deliver(ctx, r.sub, event, 0, r.handle); err == nil {
			return true
		}
	}
	for ctx.Err() == nil {
		if r.sub.Group == "" {
			r.b.cfg.Logger.Warn("an event is passed over", "event_id", event.GetId(), "type", event.GetType(), "attempts", attempts, "error", err)
			return true
		}
		failed := r.b.park(ctx, r.sub.Group, event, err, attempts)
		if failed == nil {
			return true
		}
		r.b.cfg.Logger.Warn("a dead letter cannot be kept; trying again", "group", r.sub.Group, "event_id", event.GetId(), "error", failed)
		events.Pause(ctx, again)
	}
	return false
}

// commit keeps the group's place. Where it fails, events come again.
func (r *reading) commit(ctx context.Context, client *kgo.Client, handled []*kgo.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := client.CommitRecords(ctx, handled...); err != nil {
		r.b.cfg.Logger.Warn("the place of a group cannot be kept: events may come again", "group", r.sub.Group, "error", err)
	}
}

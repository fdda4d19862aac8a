package kafkabroker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ends are the offsets behind the last record of each partition of a topic.
func (b *Broker) ends(ctx context.Context, topic string) (map[int32]int64, error) {
	describe := kmsg.NewPtrMetadataRequest()
	named := kmsg.NewMetadataRequestTopic()
	named.Topic = &topic
	describe.Topics = append(describe.Topics, named)
	known, err := describe.RequestWith(ctx, b.producer)
	if err != nil {
		return nil, err
	}
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for _, t := range known.Topics {
		for _, p := range t.Partitions {
			partition := kmsg.NewListOffsetsRequestTopicPartition()
			partition.Partition, partition.Timestamp = p.Partition, -1
			asked.Partitions = append(asked.Partitions, partition)
		}
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, b.producer)
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			out[p.Partition] = p.Offset
		}
	}
	return out, nil
}

// read visits the records of a topic, from an offset to what is there now, until
// visit says false.
func (b *Broker) read(ctx context.Context, topic string, from kgo.Offset, visit func(*kgo.Record) bool) error {
	if err := b.ensure(ctx, topic); err != nil {
		return err
	}
	ends, err := b.ends(ctx, topic)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	client, err := b.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(from))
	if err != nil {
		return err
	}
	defer client.Close()
	left := map[int32]bool{}
	for partition, end := range ends {
		if end > 0 {
			left[partition] = true
		}
	}
	for quiet := 0; len(left) > 0 && quiet < 3; {
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollFetches(bounded)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var failed error
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.DeadlineExceeded) { // which says that nothing came
				failed = err
			}
		})
		if failed != nil {
			b.gone(topic, failed)
			return fmt.Errorf("kafka: topic %s: %w", topic, failed)
		}
		quiet++ // partitions whose records are all older than from bring nothing
		goOn := true
		fetches.EachRecord(func(r *kgo.Record) {
			quiet = 0
			goOn = goOn && visit(r)
			if r.Offset+1 >= ends[r.Partition] {
				delete(left, r.Partition)
			}
		})
		if !goOn {
			return nil
		}
	}
	return nil
}

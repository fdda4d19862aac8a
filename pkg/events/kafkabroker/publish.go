package kafkabroker

import (
	"context"
	"errors"
	"fmt"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
)

// maxRecord is the largest record that servers take unless they are told
// otherwise; letterBytes is what a dead letter, with its error, has beside its
// event, for what is taken must fit as one too.
const (
	maxRecord   = 1_000_000
	letterBytes = 8 << 10
)

// Names of headers.
const (
	headerID   = "id"
	headerType = "type"
)

// Publish implements events.Broker.
func (b *Broker) Publish(ctx context.Context, list []*events.Event) (taken int, err error) {
	if err := b.ensure(ctx, b.topic()); err != nil {
		return 0, err
	}
	var records []*kgo.Record
	var refused error
	for _, event := range list {
		body, err := proto.Marshal(event)
		if size := len(body) + len(event.GetKey()) + letterBytes; err == nil && size > maxRecord {
			err = fmt.Errorf("kafka: the event has %d bytes: %w", len(body), kerr.MessageTooLarge)
		}
		if err != nil {
			refused = events.Reject(err)
			break
		}
		records = append(records, &kgo.Record{
			Topic: b.topic(), Key: []byte(event.GetKey()), Value: body,
			Headers: []kgo.RecordHeader{{Key: headerID, Value: []byte(event.GetId())}, {Key: headerType, Value: []byte(event.GetType())}},
		})
	}
	taken, err = b.produce(ctx, records)
	for errors.Is(err, kerr.MessageTooLarge) && taken < len(records) {
		// A server refuses a whole batch: one by one it is seen which it is.
		n, e := b.produce(ctx, records[taken:taken+1])
		if taken += n; errors.Is(e, kerr.MessageTooLarge) {
			return taken, events.Reject(e)
		}
		if e != nil || taken == len(records) {
			err = e
			break
		}
	}
	if err == nil {
		err = refused
	}
	return taken, err
}

// produce writes records and returns how many were taken before the first that
// was not.
func (b *Broker) produce(ctx context.Context, records []*kgo.Record) (taken int, err error) {
	if len(records) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	failed := map[*kgo.Record]error{}
	for _, result := range b.producer.ProduceSync(ctx, records...) {
		if result.Err != nil {
			failed[result.Record] = result.Err
		}
	}
	for _, r := range records {
		if err := failed[r]; err != nil {
			b.gone(r.Topic, err)
			return taken, fmt.Errorf("kafka: publish: %w", err)
		}
		taken++
	}
	return taken, nil
}

// send adds one record to a topic of one partition.
func (b *Broker) send(ctx context.Context, topic, key string, body []byte) error {
	if err := b.ensure(ctx, topic); err != nil {
		return err
	}
	_, err := b.produce(ctx, []*kgo.Record{{Topic: topic, Key: []byte(key), Value: body}})
	return err
}

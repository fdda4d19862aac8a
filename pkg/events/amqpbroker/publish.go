package amqpbroker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	amqp "github.com/rabbitmq/amqp091-go"
	"google.golang.org/protobuf/proto"
)

// headerTime is when a message was published, in microseconds since 1970: the
// protocol's own time has seconds.
const headerTime = "gptmesh-micros"

const contentType = "application/protobuf"

// Publish implements events.Broker. Where the server refuses a message it closes
// the channel without saying which, so that the rest goes one by one.
func (b *Broker) Publish(ctx context.Context, list []*events.Event) (taken int, err error) {
	messages := make([]message, 0, len(list))
	for _, event := range list {
		body, err := proto.Marshal(event)
		if err != nil {
			return 0, events.Reject(err)
		}
		messages = append(messages, message{exchange: b.log(), key: event.GetType(), id: event.GetId(), kind: event.GetType(), body: body})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	taken, err = b.publish(ctx, messages)
	for isRefusal(err) && taken < len(messages) {
		n, e := b.publish(ctx, messages[taken:taken+1])
		if taken += n; isRefusal(e) {
			return taken, events.Reject(e)
		}
		if e != nil || taken == len(messages) {
			return taken, e
		}
	}
	return taken, err
}

// isRefusal says that the server refused a message for what it is.
func isRefusal(err error) bool {
	var refused *amqp.Error
	return errors.As(err, &refused) && refused.Server && refused.Code == amqp.PreconditionFailed
}

// message is one to be published.
type message struct {
	exchange, key string // the exchange "" takes the name of a queue
	id, kind      string
	body          []byte
}

// publish publishes in order, and connects where it must. The caller holds mu.
func (b *Broker) publish(ctx context.Context, list []message) (taken int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if b.out != nil && b.out.conn.IsClosed() {
		b.out = nil
	}
	if b.out == nil {
		l, err := b.connect(ctx)
		if err != nil {
			return 0, err
		}
		if err := b.topology(l); err != nil {
			l.close()
			return 0, err
		}
		b.out = l
	}
	if b.out.ch.IsClosed() {
		if err := b.out.open(); err != nil {
			return 0, err
		}
	}
	taken, err = b.out.publish(ctx, list)
	if err != nil && !isRefusal(err) { // what was sent may still come: nothing else is sent behind it
		b.out.close()
		b.out = nil
	}
	return taken, err
}

// publish publishes in order and waits for the confirms.
func (l *link) publish(ctx context.Context, list []message) (taken int, err error) {
	why := func(err error) error {
		select {
		case e := <-l.closed:
			if e != nil {
				err = e
			}
		default:
		}
		return fmt.Errorf("amqp: publish: %w", err)
	}
	confirms := make([]*amqp.DeferredConfirmation, 0, len(list))
	now := time.Now()
	var failed error
	for _, m := range list {
		confirm, err := l.ch.PublishWithDeferredConfirmWithContext(ctx, m.exchange, m.key, true, false, amqp.Publishing{
			MessageId: m.id, Type: m.kind, ContentType: contentType, DeliveryMode: amqp.Persistent,
			Timestamp: now, Headers: amqp.Table{headerTime: now.UnixMicro()}, Body: m.body,
		})
		if err != nil {
			failed = err
			break
		}
		confirms = append(confirms, confirm)
	}
	for _, confirm := range confirms {
		acked, err := confirm.WaitContext(ctx)
		switch {
		case err != nil:
			return taken, why(err)
		case !acked:
			return taken, why(errors.New("the server did not confirm"))
		}
		select {
		case r := <-l.returned: // comes before its confirm
			return taken, why(fmt.Errorf("no queue takes %q: %s", r.RoutingKey, r.ReplyText))
		default:
		}
		taken++
	}
	if failed != nil {
		return taken, why(failed)
	}
	return taken, nil
}

// send publishes one message straight into a queue.
func (b *Broker) send(ctx context.Context, queue, id string, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.publish(ctx, []message{{key: queue, id: id, body: body}})
	return err
}

package eventserver

import (
	"context"
	"log/slog"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Remote subscribes to the log of another process. It implements
// events.Subscriber for a room that acts for itself.
type Remote struct {
	// Service is the other process's.
	Service eventv1.EventServiceCaller
	// Room is the room that subscribes.
	Room string
	// Logger is for what happens outside of calls. Required.
	Logger *slog.Logger
}

// reconnect is the pause before a stream is opened again; it doubles up to the
// second.
const (
	reconnect     = 100 * time.Millisecond
	lastReconnect = 5 * time.Second
)

// Subscribe implements events.Subscriber. Behind a lost connection it goes on
// where it was.
func (r *Remote) Subscribe(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	sub, err := sub.WithDefaults()
	if err != nil {
		return err
	}
	ctx = callctx.With(ctx, callctx.Call{Principal: callctx.Principal{ID: "room:" + r.Room, Kind: callctx.Room, Internal: true}})
	at, wait := startFor(sub.Start), reconnect
	for ctx.Err() == nil {
		err := r.Service.Subscribe(ctx, &eventv1.SubscribeRequest{Consumer: sub.Group, Subjects: sub.Subjects, Start: at}, func(m *eventv1.SubscribeResponse) error {
			wait = reconnect
			if m.GetEvent() != nil {
				if err := r.take(ctx, sub, m, handle); err != nil {
					return err
				}
			}
			at = &eventv1.Start{At: &eventv1.Start_AfterCursor{AfterCursor: m.GetCursor()}}
			return nil
		})
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case err == nil: // it ended its stream
		case fault.Is(err, meshv1.ErrorReason_ERROR_REASON_CONSUMER_TAKEN):
			wait = lastReconnect // another of the group has it
		case fault.From(err).Code == codes.InvalidArgument:
			// What is left of the place belongs to a log that is no more.
			r.Logger.Warn("events of another process: the place is not known any more", "error", err)
			at = startFor(events.Start{})
		default:
			r.Logger.Warn("events of another process cannot be received; trying again", "group", sub.Group, "error", err)
		}
		events.Pause(ctx, wait)
		wait = min(2*wait, lastReconnect)
	}
	return nil
}

// take handles one event and says so.
func (r *Remote) take(ctx context.Context, sub events.Subscription, m *eventv1.SubscribeResponse, handle events.Handler) error {
	_, err := events.Deliver(ctx, sub, m.GetEvent(), 0, handle)
	if ctx.Err() != nil && err != nil {
		return err
	}
	switch {
	case sub.Group == "" && err != nil:
		r.Logger.Warn("an event is passed over", "event_id", m.GetEvent().GetId(), "type", m.GetEvent().GetType(), "error", err)
	case sub.Group == "":
	case err != nil:
		_, err := r.Service.Reject(ctx, &eventv1.RejectRequest{Consumer: sub.Group, Cursor: m.GetCursor(), Error: events.ErrorText(err)})
		return err
	default:
		_, err := r.Service.Acknowledge(ctx, &eventv1.AcknowledgeRequest{Consumer: sub.Group, Cursor: m.GetCursor()})
		return err
	}
	return nil
}

func startFor(start events.Start) *eventv1.Start {
	switch {
	case start.Earliest:
		return &eventv1.Start{At: &eventv1.Start_Earliest{Earliest: true}}
	case !start.Time.IsZero():
		return &eventv1.Start{At: &eventv1.Start_Time{Time: timestamppb.New(start.Time)}}
	case start.AfterID != "":
		return &eventv1.Start{At: &eventv1.Start_AfterId{AfterId: start.AfterID}}
	}
	return nil
}

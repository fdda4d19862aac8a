package eventserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ownTopics are those that rooms tell of themselves.
var ownTopics = []string{"session", "request", "response", "gpt", "classifier"}

// maxPayload is the largest payload of an outside producer, in bytes.
const maxPayload = 256 << 10

// Publish implements the RPC.
func (s *Service) Publish(ctx context.Context, req *eventv1.PublishRequest) (*eventv1.PublishResponse, error) {
	out := &eventv1.PublishResponse{}
	var list []*events.Event
	for i, given := range req.GetEvents() {
		field := fmt.Sprintf("events.%d.", i)
		topic, _, _ := strings.Cut(given.GetType(), ".")
		switch {
		case slices.Contains(ownTopics, topic):
			return nil, fault.InvalidField(field+"type", "is told by the "+topic+" room alone")
		case given.GetPayload().GetTypeUrl() == "":
			return nil, fault.InvalidField(field+"payload", "must be set")
		case unknown(given.GetPayload()):
			return nil, fault.InvalidField(field+"payload", "is of a message that this mesh does not know, or not one: google.protobuf.Struct takes any JSON")
		case len(given.GetPayload().GetValue()) > maxPayload:
			return nil, fault.InvalidField(field+"payload", fmt.Sprintf("must have at most %d bytes", maxPayload))
		case given.GetTime() != nil && !given.GetTime().IsValid():
			return nil, fault.InvalidField(field+"time", "is not a time")
		}
		if err := fault.CheckTexts(field+"id", given.GetId(), field+"type", given.GetType(), field+"key", given.GetKey()); err != nil {
			return nil, err
		}
		event := complete(ctx, given)
		list = append(list, event)
		out.EventIds = append(out.EventIds, event.GetId())
	}
	if _, err := s.log.Publish(ctx, list); err != nil {
		return nil, failed(ctx, err)
	}
	return out, nil
}

// unknown says that a payload cannot be shown to clients that read JSON.
func unknown(payload *anypb.Any) bool {
	_, err := payload.UnmarshalNew()
	return err != nil
}

// complete fills in what the mesh decides or the producer left out.
func complete(ctx context.Context, given *events.Event) *events.Event {
	now := time.Now()
	event := proto.CloneOf(given)
	event.Owner, event.Tenant = callctx.Owner(ctx), ""
	if event.Id == "" {
		event.Id = ids.At("evt", now)
	}
	if event.Time == nil {
		event.Time = timestamppb.New(now)
	}
	if event.Version == 0 {
		event.Version = 1
	}
	if event.Source == "" {
		event.Source = "external"
	}
	if event.CorrelationId == "" {
		event.CorrelationId = callctx.From(ctx).RequestID
	}
	return event
}

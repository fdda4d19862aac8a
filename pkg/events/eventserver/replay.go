package eventserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxCopies is how many events one call copies, copyBatch how many one commit.
const (
	maxCopies = 10_000
	copyBatch = 200
)

// Replay implements the RPC.
func (s *Service) Replay(ctx context.Context, req *eventv1.ReplayRequest) (*eventv1.ReplayResponse, error) {
	owner, all := caller(ctx)
	start, after := startOf(req.GetStart())
	if req.GetStart().GetAt() == nil {
		return nil, fault.InvalidField("start", "must say where to begin: earliest, time, after_id or after_cursor")
	}
	if err := fault.CheckTexts("consumer", req.GetConsumer()); err != nil {
		return nil, err
	}
	if name := req.GetConsumer(); name != "" {
		if err := s.log.Seek(ctx, owner, name, start, after); err != nil {
			return nil, failed(ctx, err)
		}
		return &eventv1.ReplayResponse{}, nil
	}
	kind := req.GetType()
	topic, _, _ := strings.Cut(kind, ".")
	if err := events.CheckPattern(kind); err != nil || strings.ContainsAny(kind, "*>") || !strings.Contains(kind, ".") {
		return nil, fault.InvalidField("type", "must be like \"replay.request_completed\"")
	}
	if slices.Contains(ownTopics, topic) {
		return nil, fault.InvalidField("type", "is told by the "+topic+" room alone: choose another topic, such as \"replay.\"")
	}
	if err := checkSubjects(req.GetSubjects()); err != nil {
		return nil, err
	}
	c := copying{s: s, kind: kind, out: &eventv1.ReplayResponse{}}
	err := s.log.Follow(ctx, embedded.Stream{
		Owner: owner, All: all, Subjects: req.GetSubjects(), Start: start, AfterCursor: after, UntilNow: true,
	}, func(d embedded.Delivery) error {
		if d.Event == nil || req.GetUntilTime() != nil && !d.Event.GetTime().AsTime().Before(req.GetUntilTime().AsTime()) {
			return nil
		}
		return c.take(ctx, d)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil {
		err = c.flush(ctx)
	}
	return c.out, failed(ctx, err)
}

var errEnough = errors.New("enough")

// copying copies events under another type.
type copying struct {
	s    *Service
	kind string
	list []*events.Event
	out  *eventv1.ReplayResponse
}

func (c *copying) take(ctx context.Context, d embedded.Delivery) error {
	if c.out.GetCopied()+int64(len(c.list)) >= maxCopies {
		c.out.More = true
		return errEnough
	}
	now := time.Now()
	event := proto.CloneOf(d.Event)
	event.CausationId, event.Type, event.Id, event.Time = event.GetId(), c.kind, ids.At("evt", now), timestamppb.New(now)
	c.list = append(c.list, event)
	c.out.Cursor = d.Cursor
	if len(c.list) >= copyBatch {
		return c.flush(ctx)
	}
	return nil
}

func (c *copying) flush(ctx context.Context) error {
	if len(c.list) == 0 {
		return nil
	}
	if _, err := c.s.log.Publish(ctx, c.list); err != nil {
		return err
	}
	c.out.Copied += int64(len(c.list))
	c.list = c.list[:0]
	return nil
}

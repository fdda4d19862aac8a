package eventserver

import (
	"context"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// Subscribe implements the RPC.
func (s *Service) Subscribe(req *eventv1.SubscribeRequest, stream grpc.ServerStreamingServer[eventv1.SubscribeResponse]) error {
	if err := checkSubjects(req.GetSubjects()); err != nil {
		return err
	}
	if err := fault.CheckTexts("consumer", req.GetConsumer(), "key", req.GetKey()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	unhook := context.AfterFunc(s.life, cancel)
	defer unhook()
	owner, all := caller(ctx)
	if req.GetConsumer() != "" {
		defer s.only(owner+"\x00"+req.GetConsumer(), &cancel)()
	}
	start, after := startOf(req.GetStart())
	err := s.log.Follow(ctx, embedded.Stream{
		Owner: owner, All: all, Consumer: req.GetConsumer(), Subjects: req.GetSubjects(), Key: req.GetKey(),
		Start: start, AfterCursor: after, UntilNow: req.GetUntilNow(), Beat: beat,
	}, func(d embedded.Delivery) error {
		return stream.Send(&eventv1.SubscribeResponse{Event: d.Event, Cursor: d.Cursor, Gap: d.Gap})
	})
	switch {
	case s.life.Err() != nil:
		return shuttingDown()
	case ctx.Err() != nil && stream.Context().Err() == nil:
		return fault.New(codes.Aborted, meshv1.ErrorReason_ERROR_REASON_CONSUMER_TAKEN,
			"another stream reads as this consumer now", "consumer", req.GetConsumer())
	}
	return failed(ctx, err)
}

// only ends the stream that reads as a consumer so far.
func (s *Service) only(name string, cancel *context.CancelFunc) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if earlier := s.streams[name]; earlier != nil {
		(*earlier)()
	}
	s.streams[name] = cancel
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.streams[name] == cancel {
			delete(s.streams, name)
		}
	}
}

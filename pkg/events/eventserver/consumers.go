package eventserver

import (
	"context"
	"errors"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Acknowledge implements the RPC.
func (s *Service) Acknowledge(ctx context.Context, req *eventv1.AcknowledgeRequest) (*eventv1.AcknowledgeResponse, error) {
	if err := fault.CheckTexts("consumer", req.GetConsumer()); err != nil {
		return nil, err
	}
	owner, all := caller(ctx)
	if err := s.log.Acknowledge(ctx, owner, all, req.GetConsumer(), req.GetCursor()); err != nil {
		return nil, failed(ctx, err)
	}
	return &eventv1.AcknowledgeResponse{}, nil
}

// Reject implements the RPC.
func (s *Service) Reject(ctx context.Context, req *eventv1.RejectRequest) (*eventv1.RejectResponse, error) {
	if err := fault.CheckTexts("consumer", req.GetConsumer()); err != nil {
		return nil, err
	}
	owner, all := caller(ctx)
	id, err := s.log.RejectAt(ctx, owner, all, req.GetConsumer(), req.GetCursor(), errors.New(req.GetError()))
	if err != nil {
		return nil, failed(ctx, err)
	}
	return &eventv1.RejectResponse{DeadLetterId: id}, nil
}

// ListConsumers implements the RPC.
func (s *Service) ListConsumers(ctx context.Context, _ *eventv1.ListConsumersRequest) (*eventv1.ListConsumersResponse, error) {
	owner, _ := caller(ctx)
	list, err := s.log.Consumers(ctx, owner)
	if err != nil {
		return nil, failed(ctx, err)
	}
	out := &eventv1.ListConsumersResponse{}
	for _, c := range list {
		out.Consumers = append(out.Consumers, &eventv1.Consumer{Name: c.Name, Cursor: c.Cursor, UpdateTime: timestamppb.New(c.Updated)})
	}
	return out, nil
}

// DeleteConsumer implements the RPC.
func (s *Service) DeleteConsumer(ctx context.Context, req *eventv1.DeleteConsumerRequest) (*eventv1.DeleteConsumerResponse, error) {
	if err := fault.CheckTexts("consumer", req.GetConsumer()); err != nil {
		return nil, err
	}
	owner, _ := caller(ctx)
	if err := s.log.DeleteConsumer(ctx, owner, req.GetConsumer()); err != nil {
		return nil, failed(ctx, err)
	}
	return &eventv1.DeleteConsumerResponse{}, nil
}

package eventserver

import (
	"context"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/page"
)

// lettersRead is how many dead letters are read at a time.
const lettersRead = 500

// brokers are where dead letters can be: those of clients' consumers are beside
// the log, those of groups where rooms subscribe.
func (s *Service) brokers() []events.Broker {
	if s.groups == nil || s.groups == events.Broker(s.log) {
		return []events.Broker{s.log}
	}
	return []events.Broker{s.log, s.groups}
}

// ListDeadLetters implements the RPC.
func (s *Service) ListDeadLetters(ctx context.Context, req *eventv1.ListDeadLettersRequest) (*eventv1.ListDeadLettersResponse, error) {
	after, err := page.Cursor(req.GetConsumer(), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := page.Size(req.GetPageSize(), 50, 1000)
	out := &eventv1.ListDeadLettersResponse{}
	err = s.letters(ctx, req.GetConsumer(), after, func(_ events.Broker, letter *events.DeadLetter) bool {
		if len(out.DeadLetters) == size {
			out.NextPageToken = page.Token(req.GetConsumer(), out.DeadLetters[size-1].GetId())
			return false
		}
		out.DeadLetters = append(out.DeadLetters, letter)
		return true
	})
	if err != nil {
		return nil, failed(ctx, err)
	}
	return out, nil
}

// letters visits the caller's dead letters with ids above after.
func (s *Service) letters(ctx context.Context, consumer, after string, visit func(events.Broker, *events.DeadLetter) bool) error {
	owner, all := caller(ctx)
	for _, b := range s.brokers() {
		for at := after; ; {
			list, err := b.DeadLetters(ctx, consumer, at, lettersRead)
			if err != nil {
				return err
			}
			for _, letter := range list {
				at = letter.GetId()
				if (all || letter.GetEvent().GetOwner() == owner) && !visit(b, letter) {
					return nil
				}
			}
			if len(list) < lettersRead {
				break
			}
		}
	}
	return nil
}

// owned sorts ids of the caller's dead letters by where they are.
func (s *Service) owned(ctx context.Context, ids []string) (map[events.Broker][]string, error) {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	out := map[events.Broker][]string{}
	err := s.letters(ctx, "", "", func(b events.Broker, letter *events.DeadLetter) bool {
		if wanted[letter.GetId()] {
			out[b] = append(out[b], letter.GetId())
			delete(wanted, letter.GetId())
		}
		return len(wanted) > 0
	})
	return out, err
}

// RequeueDeadLetters implements the RPC.
func (s *Service) RequeueDeadLetters(ctx context.Context, req *eventv1.RequeueDeadLettersRequest) (*eventv1.RequeueDeadLettersResponse, error) {
	owned, err := s.owned(ctx, req.GetIds())
	out := &eventv1.RequeueDeadLettersResponse{}
	for b, ids := range owned {
		n, e := b.Requeue(ctx, ids)
		if out.Requeued += int32(n); e != nil {
			err = e
		}
	}
	if err != nil {
		return nil, failed(ctx, err)
	}
	return out, nil
}

// DiscardDeadLetters implements the RPC.
func (s *Service) DiscardDeadLetters(ctx context.Context, req *eventv1.DiscardDeadLettersRequest) (*eventv1.DiscardDeadLettersResponse, error) {
	owned, err := s.owned(ctx, req.GetIds())
	out := &eventv1.DiscardDeadLettersResponse{}
	for b, ids := range owned {
		n, e := b.Discard(ctx, ids)
		if out.Discarded += int32(n); e != nil {
			err = e
		}
	}
	if err != nil {
		return nil, failed(ctx, err)
	}
	return out, nil
}

package eventserver

import (
	"context"
	"strconv"
	"strings"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/fault"
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

// letterPlace is where a list of dead letters goes on: in one of the brokers,
// behind the letter of an id. Ids of different brokers do not sort together.
type letterPlace struct {
	broker int
	id     string
}

func (p letterPlace) cursor() string { return strconv.Itoa(p.broker) + " " + p.id }

// place reads what cursor wrote. An empty cursor is the beginning.
func (s *Service) place(cursor string) (letterPlace, error) {
	if cursor == "" {
		return letterPlace{}, nil
	}
	number, id, _ := strings.Cut(cursor, " ")
	broker, err := strconv.Atoi(number)
	if err != nil || broker < 0 || broker >= len(s.brokers()) {
		return letterPlace{}, page.Invalid()
	}
	return letterPlace{broker, id}, nil
}

// ListDeadLetters implements the RPC.
func (s *Service) ListDeadLetters(ctx context.Context, req *eventv1.ListDeadLettersRequest) (*eventv1.ListDeadLettersResponse, error) {
	if err := fault.CheckTexts("consumer", req.GetConsumer()); err != nil {
		return nil, err
	}
	cursor, err := page.Cursor(req.GetConsumer(), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	last, err := s.place(cursor)
	if err != nil {
		return nil, err
	}
	size := page.Size(req.GetPageSize(), 50, 1000)
	out := &eventv1.ListDeadLettersResponse{}
	err = s.letters(ctx, req.GetConsumer(), last, func(broker int, letter *events.DeadLetter) bool {
		if len(out.DeadLetters) == size {
			out.NextPageToken = page.Token(req.GetConsumer(), last.cursor())
			return false
		}
		last = letterPlace{broker, letter.GetId()}
		out.DeadLetters = append(out.DeadLetters, letter)
		return true
	})
	if err != nil {
		return nil, failed(ctx, err)
	}
	return out, nil
}

// letters visits the caller's dead letters behind a place, those of one broker
// after those of the other, until visit says that it has enough.
func (s *Service) letters(ctx context.Context, consumer string, from letterPlace, visit func(broker int, letter *events.DeadLetter) bool) error {
	owner, all := caller(ctx)
	for i, b := range s.brokers() {
		if i < from.broker {
			continue
		}
		after := ""
		if i == from.broker {
			after = from.id
		}
		for {
			list, err := b.DeadLetters(ctx, consumer, after, lettersRead)
			if err != nil {
				return err
			}
			for _, letter := range list {
				after = letter.GetId()
				if (all || letter.GetEvent().GetOwner() == owner) && !visit(i, letter) {
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
	out, brokers := map[events.Broker][]string{}, s.brokers()
	err := s.letters(ctx, "", letterPlace{}, func(broker int, letter *events.DeadLetter) bool {
		if wanted[letter.GetId()] {
			b := brokers[broker]
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

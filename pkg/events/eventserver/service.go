// Package eventserver serves EventService over the log of a process. Which
// events a caller sees, and which consumers and dead letters are its own, is
// decided here.
package eventserver

import (
	"context"
	"errors"
	"sync"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// beat is the longest silence of a stream.
const beat = 30 * time.Second

// Service implements EventService.
type Service struct {
	eventv1.UnsafeEventServiceServer // every RPC must be there

	log    *embedded.Broker
	groups events.Broker // whose groups' dead letters are shown; may be log

	life context.Context // ends with Drain
	end  context.CancelFunc

	mu      sync.Mutex
	streams map[string]*context.CancelFunc // by owner and consumer
}

var _ eventv1.EventServiceServer = (*Service)(nil)

// New returns the service over a log. groups is the broker that rooms subscribe
// to.
func New(log *embedded.Broker, groups events.Broker) *Service {
	s := &Service{log: log, groups: groups, streams: map[string]*context.CancelFunc{}}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Register adds the service to a server.
func (s *Service) Register(r grpc.ServiceRegistrar) { eventv1.RegisterEventServiceServer(r, s) }

// Drain ends every stream.
func (s *Service) Drain(context.Context) error {
	s.end()
	return nil
}

// caller is who asks: an owner, or with all a room that acts for itself.
func caller(ctx context.Context) (owner string, all bool) {
	p := callctx.From(ctx).Principal
	return callctx.Owner(ctx), p.Internal && p.Kind == callctx.Room
}

// startOf translates a start.
func startOf(start *eventv1.Start) (from events.Start, afterCursor string) {
	switch at := start.GetAt().(type) {
	case *eventv1.Start_Earliest:
		from.Earliest = at.Earliest
	case *eventv1.Start_Time:
		from.Time = at.Time.AsTime()
	case *eventv1.Start_AfterId:
		from.AfterID = at.AfterId
	case *eventv1.Start_AfterCursor:
		afterCursor = at.AfterCursor
	}
	return from, afterCursor
}

func checkSubjects(subjects []string) error {
	for _, subject := range subjects {
		if err := events.CheckPattern(subject); err != nil {
			return fault.InvalidField("subjects", err.Error())
		}
	}
	return nil
}

// failed is what a caller may see of an error.
func failed(ctx context.Context, err error) error {
	var f *fault.Fault
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case errors.Is(err, embedded.ErrCursor):
		return fault.InvalidField("cursor", "is not a cursor of this log")
	case errors.Is(err, embedded.ErrNoEvent):
		return fault.InvalidField("cursor", "no event that is kept came with this cursor")
	case errors.Is(err, embedded.ErrUnknownConsumer):
		return fault.InvalidField("consumer", "is not known: subscribe with it first")
	case errors.Is(err, events.ErrUnknownID):
		return fault.InvalidField("start.after_id", "no event of this id is kept")
	}
	return fault.StoreUnavailable("events", err)
}

func shuttingDown() error {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "this process is shutting down", "room", "events")
}

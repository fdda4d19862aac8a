package gpt

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/tokens"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc"
)

// Generate implements gptv1.GPTServiceServer.
func (s *Service) Generate(req *gptv1.GenerateRequest, stream grpc.ServerStreamingServer[gptv1.GenerateResponse]) error {
	arrived := s.deps.Clock()
	if err := checkTurn(req.GetTurn()); err != nil {
		return err
	}
	at := new(generationContexts)
	if err := at.admission.begin(&s.calls, stream.Context()); err != nil {
		return err
	}
	defer at.admission.done()
	s.bound(&at.admission)
	g, err := s.generation(at, req, arrived)
	if err != nil {
		return s.ended(&at.admission, err, "")
	}
	g.stream = stream
	if err := g.call.run(&at.admission); err != nil {
		return g.call.fated(err)
	}
	if g.call.forgotten() {
		g.release()
	}
	return nil
}

// generation prepares the call that answers a turn.
func (s *Service) generation(at *generationContexts, req *gptv1.GenerateRequest, arrived time.Time) (*generation, error) {
	turn := req.GetTurn()
	plan, err := s.registry.PlanWith(&at.admission, turn.GetModel(), turn.GetFallbackModels(), fallbackDefault)
	if err != nil {
		return nil, err
	}
	g, _ := generations.Get().(*generation)
	c := &g.call
	c.service, c.plan, c.turn, c.request, c.arrived, c.work = s, plan, turn, req, arrived, g
	c.first.contexts = &at.attempt
	c.estimate = tokens.EstimateTurn(turn)
	c.seam = continuation(turn, plan.Route == nil || plan.Route.MayContinue)
	return g, nil
}

// generation is a call that answers a turn, with all that it takes where one
// attempt is enough, but for contexts. The next call uses its memory again.
type generation struct {
	call    call
	stream  grpc.ServerStreamingServer[gptv1.GenerateResponse]
	message gptv1.GenerateResponse // lent to the stream while it is sent
}

var generations = sync.Pool{New: func() any { return new(generation) }}

// generationContexts are the contexts of a generation. Whoever was given one may hold
// it for longer than the call lasts, so that their memory is not used again.
type generationContexts struct {
	admission admission
	attempt   attemptContexts
}

// forgotten says that the call has ended as most do, in its first attempt and with
// the whole answer, and that nobody knows of what it was made with: no other
// attempt beside it, no row that is still to be settled, no timer on its way.
func (c *call) forgotten() bool {
	a := &c.first.attempt
	return c.number == 1 && c.race == nil && c.seam == nil && a.terminal && a.sinkErr == nil && a.failure == nil &&
		a.ledger.settled && a.row.GetOutcome() == gptv1.Attempt_OUTCOME_COMPLETED && a.watch.over
}

func (g *generation) invoke(ctx context.Context, a *attempt, turn *conversationv1.Turn, sink provider.Sink) error {
	if err := g.address(a, turn); err != nil {
		return err
	}
	return a.way.option.Place.Lane.Provider.Generate(ctx, &a.outbound, sink)
}

// address makes the attempt's outbound call.
func (g *generation) address(a *attempt, turn *conversationv1.Turn) error {
	target := a.way.option.Target
	turn, err := turnFor(turn, &target.Entry.Info)
	if err != nil {
		return provider.Unsent(err)
	}
	a.outbound = provider.Call{
		Turn: turn, Model: target.Name(), MaxOutputTokens: target.Model.GetMaxOutputTokens(),
		FillInMiddle: slices.Contains(target.Model.GetCapabilities(), gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE),
		Quirks:       g.call.service.registry.Quirks(target),
	}
	return nil
}

func (g *generation) send(chunk *conversationv1.Chunk) error {
	g.message.Chunk = chunk
	return g.stream.Send(&g.message)
}

// errTotal is the cause of calls that took longer than the room allows.
var errTotal = errors.New("the call took longer than allowed")

// errCaller is the cause of calls that end shortly before the caller's deadline:
// in time to say that it was the provider that took so long.
var errCaller = errors.New("the caller's deadline is about to run out")

// bound gives a call its longest time.
func (s *Service) bound(a *admission) {
	now := time.Now()
	limit, cause := s.cfg.Timeouts.Total, errTotal
	if deadline, ok := a.Deadline(); ok {
		left := deadline.Sub(now)
		if left -= min(left/20, 20*time.Millisecond); left < limit {
			limit, cause = left, errCaller
		}
	}
	a.limit(now.Add(limit), cause)
}

// checkTurn checks what the rules on the fields cannot say.
func checkTurn(turn *conversationv1.Turn) error {
	switch {
	case turn == nil:
		return fault.InvalidField("turn", "must be set")
	case turn.GetRaw() != nil && len(turn.GetRaw().GetBody()) == 0:
		return fault.InvalidField("turn.raw.body", "must not be empty")
	case turn.GetRaw() == nil && len(turn.GetMessages()) == 0:
		return fault.InvalidField("turn.messages", "must hold at least one message")
	}
	return nil
}

package request

import (
	"bytes"
	"context"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/deferred"
)

// guardGrace is how long the end of a request waits for a report that another
// goroutine is still making. It is mostly there long before.
const guardGrace = 5 * time.Millisecond

// flagging is a look at a turn beside its answer. The zero value is none.
type flagging struct {
	elsewhere <-chan *conversationv1.GuardReport // by a goroutine of its own

	// In place, by who comes to it first: the row that has waited for the turn's end,
	// or the end.
	inPlace bool
	look    deferred.Write
	report  *conversationv1.GuardReport // read after look is over
}

// flag has the turn of a run looked at while its answer is being made. A short look
// needs no goroutine, which would wake a processor for it.
func (r *run) flag(ctx context.Context, key string) {
	s, f := r.s, &r.flagging
	if s.cfg.Guard.Mode != guardFlag || s.deps.Classifier == nil {
		return
	}
	if !s.flags.take(s.cfg.Guard.FlagRate, s.deps.Clock()) {
		s.metrics.guard.WithLabelValues("skipped").Inc()
		return
	}
	turn := glanceAt(r.submit.GetTurn())
	// The classifier loads what it needs when it is first asked.
	if s.deps.ClassifierHere && s.screened.Load() && s.rowWaits(r) && turn.short() {
		f.inPlace = true
		f.look.OnDemand(deferred.InPlace, func() error {
			f.report = s.flagged(ctx, turn, key)
			return nil
		})
		return
	}
	reports := make(chan *conversationv1.GuardReport, 1)
	f.elsewhere = reports
	s.work.Go(func() { reports <- s.flagged(ctx, turn, key) })
}

// noteGuard takes up a report that is there, or within grace. One that is made in place is
// made by then.
func (r *run) noteGuard(ctx context.Context, grace time.Duration) {
	f := &r.flagging
	if f.inPlace {
		if over, _ := f.look.Wait(ctx); over {
			r.request.Guard, f.inPlace = f.report, false
		}
		return
	}
	if f.elsewhere == nil {
		return
	}
	select {
	case r.request.Guard = <-f.elsewhere:
		f.elsewhere = nil
		return
	default:
	}
	if grace == 0 {
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case r.request.Guard = <-f.elsewhere:
		f.elsewhere = nil
	case <-timer.C:
	}
}

// noteLate adds a report that was not there when the row became final, where it has found
// something: an end waits for no look, and what a look has found is not lost.
func (r *run) noteLate() {
	s, id, reports := r.s, r.id, r.flagging.elsewhere
	if reports == nil {
		return
	}
	r.flagging.elsewhere = nil
	s.work.Go(func() {
		report := <-reports
		if len(report.GetFindings()) == 0 {
			return
		}
		bounded, cancel := context.WithTimeout(context.WithoutCancel(s.life), s.cfg.StoreTimeout)
		defer cancel()
		if err := s.store.NoteGuard(bounded, id, report); err != nil {
			s.deps.Logger.Warn("what the guard has found cannot be noted", "request_id", id, "error", err)
		}
	})
}

// glance is what of a turn is looked at beside its answer.
type glance struct {
	messages []*conversationv1.Message // of a typed turn
	wire     conversationv1.Wire       // of a raw one
	body     []byte
}

// glanceAt takes what may be looked at when the request is over: the memory of a raw
// body may be the caller's then, unless the turn is a stream.
func glanceAt(turn *conversationv1.Turn) glance {
	g := glance{messages: turn.GetMessages()}
	if raw := turn.GetRaw(); raw != nil && len(g.messages) == 0 {
		g.wire, g.body = raw.GetWire(), raw.GetBody()
		if !turn.GetStream() && len(g.body) <= maxFlagBody {
			g.body = bytes.Clone(g.body)
		}
	}
	return g
}

// short says that a look takes little time.
func (g *glance) short() bool {
	size := len(g.body)
	for _, m := range g.messages {
		if size > mostInPlace {
			break
		}
		size += m.PackedSize()
	}
	return size <= mostInPlace
}

func (s *Service) flagged(ctx context.Context, g glance, key string) *conversationv1.GuardReport {
	if len(g.body) > maxFlagBody {
		return &conversationv1.GuardReport{Note: "the turn is too long to be looked at beside its answer"}
	}
	turn := &conversationv1.Turn{Messages: g.messages}
	if g.body != nil {
		decoded, err := s.decodeBody(g.wire, g.body)
		if err != nil {
			return &conversationv1.GuardReport{Note: "the turn could not be read"}
		}
		turn = decoded
	}
	bounded := scope.Lasting(ctx, s.cfg.Guard.Timeout)
	defer bounded.Cancel(nil)
	report := s.look(bounded, turn, key)
	outcome := "passed"
	switch {
	case len(report.GetFindings()) > 0:
		outcome = "flagged"
	case report.GetNote() != "":
		return report // counted already
	}
	s.metrics.guard.WithLabelValues(outcome).Inc()
	return report
}

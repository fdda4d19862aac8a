package request

import (
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"google.golang.org/grpc/codes"
)

// observe begins to watch how the answer goes, once this process has chosen a
// model at all: later choices learn from it, whoever named the model.
func (r *run) observe() {
	if !r.s.router.active.Load() {
		return
	}
	decision := r.request.GetDecision()
	model := decision.GetModel()
	if decision.GetFeatures() == nil {
		target := r.s.router.known().Find(model)
		if target == nil {
			return
		}
		model = target.ID
	}
	if model == "" {
		return
	}
	r.watched = model
	r.s.router.observed.Begin(model)
}

// observed tells how the answer went.
func (r *run) observed() {
	if r.watched == "" {
		return
	}
	now := r.s.deps.Clock()
	out := route.Outcome{Total: now.Sub(r.begin), Output: r.request.GetUsage().GetOutputTokens(), Streamed: r.submit.GetTurn().GetStream(),
		Class: classOf(r.request.GetDecision())}
	if !r.firstAt.IsZero() {
		out.First = r.firstAt.Sub(r.begin)
	}
	switch r.request.GetState() {
	case completed:
		out.Counted, out.Whole = true, true
	case failed:
		code := codes.Code(r.request.GetFailure().GetCode())
		out.Counted = !clientsFault(code)
		if code == codes.Unavailable {
			r.s.router.expire() // the provider's state may have changed
		}
	}
	r.s.router.observed.End(r.watched, out, now)
	r.watched = ""
}

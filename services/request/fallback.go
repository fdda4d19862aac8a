package request

import (
	"fmt"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"google.golang.org/protobuf/proto"
)

// defaultFallbacks is how many candidates are tried after the chosen one where
// the policy does not say.
const defaultFallbacks = 2

// fallbacks are the next-best candidates of a policy's choice, best first.
func (s *Service) fallbacks(d *requestv1.Decision) []string {
	if d.GetFeatures() == nil || d.GetModel() == "" {
		return nil
	}
	most := defaultFallbacks
	if p := s.router.policies[d.GetPolicy()]; p != nil && p.Fallbacks != nil {
		most = *p.Fallbacks
	}
	var out []string
	for _, c := range d.GetCandidates() {
		if len(out) == most {
			break
		}
		if c.GetEligible() && c.GetModel() != d.GetModel() {
			out = append(out, c.GetModel())
		}
	}
	return out
}

// answeredBy notices that a fallback answers: the trace names it from then on,
// and the chosen model has failed.
func (r *run) answeredBy(started *conversationv1.Started) {
	d := r.request.GetDecision()
	if d.GetFeatures() == nil || started.GetTarget() == "" {
		return
	}
	name, _, _ := strings.Cut(started.GetTarget(), "#")
	name, _, _ = strings.Cut(name, "@")
	t := r.s.router.known().Find(name)
	if t == nil || t.Route || t.ID == d.GetModel() || !offered(d, t.ID) {
		return
	}
	r.request.Decision = proto.CloneOf(d) // it may be on its way into the store
	r.request.Decision.Reason += fmt.Sprintf("; %s failed, %s answered", d.GetModel(), t.ID)
	r.request.Decision.Model = t.ID
	if r.watched != "" {
		r.s.router.observed.End(r.watched, route.Outcome{Counted: true, Class: classOf(d)}, r.s.deps.Clock())
		r.watched = t.ID
		r.s.router.observed.Begin(t.ID)
	}
	r.s.router.expire()
}

// offered says that a model was among the eligible candidates.
func offered(d *requestv1.Decision, model string) bool {
	for _, c := range d.GetCandidates() {
		if c.GetModel() == model {
			return c.GetEligible()
		}
	}
	return false
}

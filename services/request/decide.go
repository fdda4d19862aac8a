package request

import (
	"context"
	"fmt"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/grpc/codes"
)

// wish is a turn for which a model is to be chosen.
type wish struct {
	turn *conversationv1.Turn // with its history
	// session is empty without one; a fresh one holds nothing yet.
	owner, user, session string
	fresh                bool
	// dry says that nothing is to be remembered.
	dry bool
}

// decided is a decision with the candidate of a client that named it.
type decided struct {
	decision   requestv1.Decision
	candidate  requestv1.Candidate
	candidates [1]*requestv1.Candidate
}

// decide chooses a model and says why, in the memory of out. The error is for a
// policy that does not exist; otherwise it always comes to a decision.
func (s *Service) decide(ctx context.Context, w wish, out *decided) (*requestv1.Decision, error) {
	begin := time.Now()
	model := w.turn.GetModel()
	d := &out.decision
	d.RequestedModel = model
	switch p, err := s.policyOf(ctx, model); {
	case err != nil:
		return nil, err
	case p != nil:
		s.route(ctx, p, w, d)
	case model == "":
		d.Policy, d.Reason = "default", "no model was named: the configured default answers"
	default:
		d.Policy, d.Model, d.Reason = "asked", model, "the client named it"
		c := &out.candidate
		c.Model, c.Eligible, c.Score, c.Reason = model, true, 1, "named by the client"
		out.candidates[0] = c
		d.Candidates = out.candidates[:]
	}
	d.ElapsedMicros = time.Since(begin).Microseconds()
	if !w.dry {
		s.metrics.decided(d)
		if d.GetFeatures() != nil {
			s.metrics.chose(d)
		}
	}
	return d, nil
}

// policyOf is the policy that a model's name asks for; nil where it names a
// model.
func (s *Service) policyOf(ctx context.Context, model string) (*policy, error) {
	if !strings.HasPrefix(model, route.Auto) {
		return nil, nil
	}
	name, ok := route.Name(model)
	if !ok {
		return nil, nil
	}
	if p := s.router.policies[name]; p != nil {
		return p, nil
	}
	if s.models(ctx).Find(model) != nil {
		return nil, nil // a real model that is called so
	}
	return nil, noPolicy("model", model, s.router.policies)
}

func noPolicy(field, name string, policies map[string]*policy) *fault.Fault {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND,
		fmt.Sprintf("%s: there is no routing policy %q; there are %s", field, name, policyNames(policies)), "field", field, "model", name)
}

// route chooses by a policy.
func (s *Service) route(ctx context.Context, p *policy, w wish, d *requestv1.Decision) {
	s.router.active.Store(true)
	asked := p
	typed, unread := w.turn, ""
	if len(typed.GetMessages()) == 0 && typed.GetRaw() != nil {
		if decoded, err := s.decode(typed); err == nil {
			typed = decoded
		} else {
			unread = "the text could not be read; "
		}
	}
	f := route.Read(typed)
	catalogue := s.models(ctx)
	p, shadows := s.assign(ctx, p, &w, d)
	d.Policy, d.PolicyVersion = p.name, p.version
	if asked != p {
		unread = fmt.Sprintf("an experiment gives %s to %s; %s", asked.name, p.name, unread)
	}

	heard, why := false, ""
	if s.asksClassifier(p, shadows, catalogue, &f) {
		begin := time.Now()
		label, silence := s.classify(ctx, typed.GetMessages(), p.Budget, stickyKey(&w))
		d.ClassifyMicros = time.Since(begin).Microseconds()
		if heard = label != nil; heard {
			takeLabels(label, &f, d)
			why = fmt.Sprintf("the classifier says %s (%s); ", d.GetComplexity(), label.GetReason())
		} else {
			why = silence + "; "
		}
	}
	previous := s.previous(ctx, p, asked.name, &w, typed.GetMessages())
	answer := s.choose(p, catalogue, f, previous, why != "" && !heard)
	d.Features = featuresOf(&f, heard)
	trace(d, &answer)
	d.Reason = unread + why + answer.Reason
	for _, shadow := range shadows {
		other := s.choose(shadow.policy, catalogue, f, previous, why != "" && !heard)
		a := d.Experiments[shadow.at]
		if other.Chosen != nil {
			a.ShadowModel, a.ShadowCostEstimateNanos = other.Chosen.ID, other.Chosen.Cost
		}
	}
	if !w.dry && d.GetModel() != "" && p.Sticky == route.StickyConversation && w.session == "" {
		if key, ok := conversationOf(w.owner, asked.name, typed.GetMessages()); ok {
			s.router.conversations.put(key, d.GetModel())
		}
	}
}

// stickyKey is what a canary of the classifier is assigned by.
func stickyKey(w *wish) string {
	if w.session != "" {
		return w.session
	}
	return w.owner + "/" + w.user
}

// asksClassifier says whether its answer could change anything.
func (s *Service) asksClassifier(p *policy, shadows []shadow, c *route.Catalogue, f *route.Features) bool {
	could := func(p *policy) bool {
		return p.Classifies() && (p.Preferences.Any() || route.Eligible(route.Filter(&p.Policy, c, f)) > 1)
	}
	if could(p) {
		return true
	}
	for _, shadow := range shadows {
		if could(shadow.policy) {
			return true
		}
	}
	return false
}

// previous is the model of the conversation's last turn, where the policy stays
// with it. Empty where there is none.
func (s *Service) previous(ctx context.Context, p *policy, asked string, w *wish, messages []*conversationv1.Message) string {
	switch {
	case p.Sticky == route.StickyOff:
		return ""
	case w.session != "" && !w.fresh:
		list, err := s.store.List(ctx, store.Filter{Owner: w.owner, SessionID: w.session}, 1)
		if err != nil || len(list) == 0 {
			return ""
		}
		return list[0].GetDecision().GetModel()
	case w.session != "" || p.Sticky != route.StickyConversation || !answered(messages):
		return ""
	}
	key, ok := conversationOf(w.owner, asked, messages)
	if !ok {
		return ""
	}
	return s.router.conversations.get(key)
}

// answered says whether a conversation holds an answer already.
func answered(messages []*conversationv1.Message) bool {
	for _, m := range messages {
		if m.GetRole() == conversationv1.Role_ROLE_ASSISTANT {
			return true
		}
	}
	return false
}

// label is an enum's value for people: "COMPLEXITY_SIMPLE" is "simple".
func label(v fmt.Stringer) string {
	name := v.String()
	for _, prefix := range []string{"TASK_TYPE_", "COMPLEXITY_", "TIER_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	if name = strings.ToLower(name); name == "unspecified" {
		return "unknown"
	}
	return name
}

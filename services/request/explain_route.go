package request

import (
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// ExplainRoute implements the RPC.
func (s *Service) ExplainRoute(ctx context.Context, req *requestv1.ExplainRouteRequest) (*requestv1.ExplainRouteResponse, error) {
	turn := req.GetTurn()
	switch {
	case turn == nil && req.GetText() == "":
		return nil, fault.InvalidField("text", "is required, or turn")
	case turn != nil && req.GetText() != "":
		return nil, fault.InvalidField("text", "must not stand beside turn")
	case turn == nil:
		turn = &conversationv1.Turn{Messages: []*conversationv1.Message{{
			Role:  conversationv1.Role_ROLE_USER,
			Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: req.GetText()}}},
		}}}
	}
	model := turn.GetModel()
	if req.GetPolicy() != "" {
		p, err := s.namedPolicy(req.GetPolicy())
		if err != nil {
			return nil, err
		}
		model = route.Model(p.name)
	} else if model == "" {
		model = route.Auto
	}
	if req.GetSessionId() != "" {
		joined, err := s.joinSession(ctx, turn, req.GetSessionId())
		if err != nil {
			return nil, err
		}
		turn = joined.turn
	}
	turn = shallow(turn)
	turn.Model = model
	d, err := s.decide(ctx, wish{
		turn: turn, owner: callctx.Owner(ctx), user: orElse(turn.GetUser(), "default"), session: req.GetSessionId(),
		fresh: req.GetSessionId() == newSession, dry: true,
	}, new(decided))
	if err != nil {
		return nil, err
	}
	return &requestv1.ExplainRouteResponse{Decision: d}, nil
}

// namedPolicy finds a policy by its name, or by the model that asks for it.
func (s *Service) namedPolicy(name string) (*policy, error) {
	if p := s.router.policies[name]; p != nil {
		return p, nil
	}
	if inner, ok := route.Name(name); ok && s.router.policies[inner] != nil {
		return s.router.policies[inner], nil
	}
	return nil, noPolicy("policy", name, s.router.policies)
}

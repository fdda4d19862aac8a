package gpt

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// CountTokens implements gptv1.GPTServiceServer. It knows every model's name:
// one that no provider has is counted too.
func (s *Service) CountTokens(ctx context.Context, req *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
	if err := checkTurn(req.GetTurn()); err != nil {
		return nil, err
	}
	turn, err := typed(req.GetTurn())
	if err != nil {
		return nil, err
	}
	name := turn.GetModel()
	if target, err := s.registry.Resolve(ctx, name); err == nil {
		name = target.Name()
	} else if ctx.Err() != nil {
		return nil, s.ended(ctx, err, "")
	}
	count, err := s.tokens.Turn(name, turn)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return &gptv1.CountTokensResponse{InputTokens: count.Tokens, Exact: count.Exact, Tokenizer: count.Tokenizer}, nil
}

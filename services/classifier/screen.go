package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// Screen looks for risks; see the contract.
func (s *Service) Screen(_ context.Context, req *classifierv1.ScreenRequest) (*classifierv1.ScreenResponse, error) {
	resp := &classifierv1.ScreenResponse{Risks: make([]*classifierv1.Risk, len(req.GetTexts()))}
	for i := range resp.Risks {
		resp.Risks[i] = &classifierv1.Risk{}
	}
	return resp, nil
}

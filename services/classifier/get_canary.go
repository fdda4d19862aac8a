package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// GetCanary compares a canary with the active version; see the contract.
func (l *Learning) GetCanary(ctx context.Context, req *classifierv1.GetCanaryRequest) (*classifierv1.GetCanaryResponse, error) {
	resp := &classifierv1.GetCanaryResponse{}
	now := l.heads.loaded()
	if now == nil {
		var err error
		if now, err = l.heads.lineup(); err != nil {
			l.log.Error("the built-in models cannot be read", "error", err)
		}
	}
	var err error
	if id := now.versions[req.GetHead()]; id != "" {
		if resp.Active, err = l.version(ctx, id); err != nil {
			return nil, err
		}
	}
	c := now.canaries[req.GetHead()]
	if c == nil {
		return resp, nil
	}
	if resp.Canary, err = l.version(ctx, c.version); err != nil {
		return nil, err
	}
	resp.Since = timestamppb.New(c.since)
	resp.Assigned, resp.Agreed = c.assigned.Load(), c.agreed.Load()
	if resp.GetAssigned() > 0 {
		n := float64(resp.GetAssigned()) * 1e6
		resp.ActiveConfidence, resp.CanaryConfidence = float64(c.activeMicros.Load())/n, float64(c.canaryMicros.Load())/n
	}
	return resp, nil
}

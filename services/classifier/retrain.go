package classifier

import (
	"context"
	"fmt"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// Retrain begins a training; see the contract.
func (l *Learning) Retrain(ctx context.Context, req *classifierv1.RetrainRequest) (*classifierv1.RetrainResponse, error) {
	if err := fault.CheckTexts("head", req.GetHead()); err != nil {
		return nil, err
	}
	o := order{head: req.GetHead(), minSamples: int(req.GetMinSamples()), canary: req.GetCanaryPercent(), seed: req.GetSeed(), trigger: "call"}
	if o.head == "" {
		o.head = headTaskType
	}
	switch {
	case o.head == headRoute:
		return nil, fault.InvalidField("head", "route learns from how models answered: train it with gptmesh classifier train and import it")
	case o.minSamples == 0:
		o.minSamples = l.cfg.MinSamples
	case o.minSamples < minSamples || o.minSamples > maxSamples:
		return nil, fault.InvalidField("min_samples", fmt.Sprintf("must be %d to %d, is %d", minSamples, maxSamples, o.minSamples))
	}
	if o.seed == 0 {
		o.seed = 1
	}
	t, err := l.begin(ctx, o)
	if err != nil {
		return nil, err
	}
	return &classifierv1.RetrainResponse{Training: t}, nil
}

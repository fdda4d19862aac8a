package classifier

import (
	"context"
	"slices"
	"strings"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// GetLearningStatistics says how learning stands; see the contract.
func (l *Learning) GetLearningStatistics(ctx context.Context, _ *classifierv1.GetLearningStatisticsRequest) (*classifierv1.GetLearningStatisticsResponse, error) {
	counts, err := l.store.Counts(ctx)
	if err != nil {
		return nil, storeFault(err, nil)
	}
	heads := map[string]*classifierv1.HeadStatistics{}
	of := func(head string) *classifierv1.HeadStatistics {
		if heads[head] == nil {
			heads[head] = &classifierv1.HeadStatistics{Head: head}
		}
		return heads[head]
	}
	for _, c := range counts {
		h := of(c.Head)
		h.Samples, h.NewSamples, h.Feedback, h.Labels = c.Samples, c.Samples, c.Feedback, c.Labels
		last, err := l.store.LastTraining(ctx, c.Head)
		if err != nil {
			return nil, storeFault(err, nil)
		}
		if !last.IsZero() {
			h.TrainTime = timestamppb.New(last)
			if h.NewSamples, err = l.store.CountSince(ctx, c.Head, last); err != nil {
				return nil, storeFault(err, nil)
			}
		}
	}
	builtIn, err := l.builtInVersions(ctx)
	if err != nil {
		return nil, err
	}
	_, lineup, err := l.store.Lineup(ctx)
	if err != nil {
		return nil, storeFault(err, nil)
	}
	for _, v := range append(builtIn, lineup...) {
		if v.GetState() == classifierv1.ModelVersion_STATE_ACTIVE {
			of(v.GetHead()).Active = v
		}
	}
	resp := &classifierv1.GetLearningStatisticsResponse{}
	for _, h := range heads {
		resp.Heads = append(resp.Heads, h)
	}
	slices.SortFunc(resp.Heads, func(a, b *classifierv1.HeadStatistics) int { return strings.Compare(a.GetHead(), b.GetHead()) })
	return resp, nil
}

package gpt

import (
	"context"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/gpt/internal/invoice"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
)

// reconcilePage is how many rows are read at once.
const reconcilePage = 1000

// Reconcile implements gptv1.UsageServiceServer.
func (s *Service) Reconcile(ctx context.Context, req *gptv1.ReconcileRequest) (*gptv1.ReconcileResponse, error) {
	after, err := moment("after", req.GetAfter())
	if err != nil {
		return nil, err
	}
	before, err := moment("before", req.GetBefore())
	if err != nil {
		return nil, err
	}
	paper, err := invoice.Parse(req.GetCsv(), req.GetProvider())
	if err != nil {
		return nil, err
	}
	if first, last, ok := paper.Days(); ok {
		// An invoice knows days; its provider's may begin an hour or so apart.
		if after.IsZero() {
			after = first
		}
		if before.IsZero() {
			before = last.Add(24 * time.Hour)
		}
	}
	report := invoice.NewReport(paper, req.GetCostTolerance())
	filter := store.Filter{
		Owner: callctx.Owner(ctx), Provider: req.GetProvider(), SettledOnly: true, After: after, Before: before, Limit: reconcilePage,
	}
	for {
		attempts, err := s.store.List(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, attempt := range attempts {
			report.Add(attempt)
		}
		if len(attempts) < reconcilePage {
			return report.Close(), nil
		}
		filter.Cursor = attempts[len(attempts)-1].GetId()
	}
}

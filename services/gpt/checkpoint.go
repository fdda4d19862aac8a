package gpt

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
)

// checkpointEvery is how often what running attempts have used is written, for
// all of them at once. Attempts younger than that are not written.
const checkpointEvery = time.Second

// progress gathers what running attempts have used, so that the rows of a
// process that dies are settled with it. Attempts report when they have passed
// something on and a beat has gone by since they last did.
type progress struct {
	beat atomic.Int64

	mu    sync.Mutex
	noted map[string]store.Progress
}

// due says that an attempt should report, given the beat of its last report; it
// returns the present one.
func (p *progress) due(last int64) (int64, bool) {
	now := p.beat.Load()
	return now, now > last
}

// note keeps the last report of an attempt until it is written.
func (p *progress) note(report store.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.noted == nil {
		p.noted = map[string]store.Progress{}
	}
	p.noted[report.ID] = report
}

// take returns the reports since it was last called.
func (p *progress) take() []store.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.noted) == 0 {
		p.noted = nil
		return nil
	}
	reports := make([]store.Progress, 0, len(p.noted))
	for _, report := range p.noted {
		reports = append(reports, report)
	}
	clear(p.noted) // its memory is used again while there are any
	return reports
}

// checkpoint reports what the attempt has used so far.
func (a *attempt) checkpoint() {
	if a.call.free {
		return
	}
	s := a.call.service
	told := a.meter.usage
	if told == nil {
		told = a.row.GetUsage()
	}
	used := &conversationv1.Usage{
		InputTokens: told.GetInputTokens(), CachedInputTokens: told.GetCachedInputTokens(), CacheWriteTokens: told.GetCacheWriteTokens(),
		OutputTokens: max(told.GetOutputTokens(), s.outputTokens(a, false)),
	}
	report := store.Progress{ID: a.row.GetId(), InputTokens: used.InputTokens, OutputTokens: used.OutputTokens}
	if p := a.way.option.Target.Model.GetPrices(); p != nil {
		report.CostNanos = Cost(p, used)
	}
	s.progress.note(report)
}

// writeCheckpoints writes reports until ctx ends. One that cannot be written is
// left out: the next replaces it.
func (s *Service) writeCheckpoints(ctx context.Context) {
	lifecycle.Every(ctx, checkpointEvery, func(ctx context.Context) {
		s.progress.beat.Add(1)
		reports := s.progress.take()
		if len(reports) == 0 {
			return
		}
		if err := s.store.Checkpoint(ctx, reports); err != nil && ctx.Err() == nil {
			s.deps.Logger.WarnContext(ctx, "what running attempts have used cannot be noted", "room", "gpt", "attempts", len(reports), "error", err)
		}
	})
}

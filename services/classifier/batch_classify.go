package classifier

import (
	"context"
	"fmt"
	"sync"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/status"
)

// BatchClassify labels many texts; see the contract. It fails as a whole only
// when the batch is empty or too long, or the caller leaves; where time runs
// out before the language model was asked about all, the rest falls back.
func (s *Service) BatchClassify(ctx context.Context, req *classifierv1.BatchClassifyRequest) (*classifierv1.BatchClassifyResponse, error) {
	if n := len(req.GetItems()); n < 1 || n > maxItems {
		return nil, fault.InvalidField("items", fmt.Sprintf("must have 1 to %d entries, has %d", maxItems, n))
	}
	deadline := time.Now().Add(s.cfg.Timeout)
	resp := &classifierv1.BatchClassifyResponse{Results: make([]*classifierv1.BatchResult, len(req.GetItems()))}
	unsure := map[int]*pending{}
	label := func(i int, p *pending) {
		resp.Results[i] = &classifierv1.BatchResult{Result: &classifierv1.BatchResult_Classification{Classification: s.finish(p)}}
	}
	for i, item := range req.GetItems() {
		if err := ctx.Err(); err != nil {
			return nil, status.FromContextError(err).Err()
		}
		if field, problem := check(item); field != "" {
			s.reject()
			resp.Results[i] = &classifierv1.BatchResult{Result: &classifierv1.BatchResult_Error{Error: &classifierv1.ItemError{
				Field: fmt.Sprintf("items[%d].%s", i, field), Message: problem,
			}}}
			continue
		}
		if p := s.local(item); p.decided {
			label(i, p)
		} else {
			unsure[i] = p
		}
	}
	s.askAll(ctx, unsure, deadline)
	for i, p := range unsure {
		label(i, p)
	}
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return resp, nil
}

// askAll asks the language model about many texts, half as many at a time as
// it may be asked at once, so that a batch does not shut out single calls.
func (s *Service) askAll(ctx context.Context, unsure map[int]*pending, deadline time.Time) {
	if len(unsure) == 0 {
		return
	}
	queue := make(chan *pending)
	var workers sync.WaitGroup
	for range min(len(unsure), max(1, s.cfg.LLM.MaxConcurrent/2)) {
		workers.Go(func() {
			for p := range queue {
				s.remote(ctx, p, deadline)
			}
		})
	}
	for _, p := range unsure {
		queue <- p
	}
	close(queue)
	workers.Wait()
}

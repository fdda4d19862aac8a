package classifier

import (
	"context"
	"fmt"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/status"
)

// BatchClassify labels many texts; see the contract. It fails as a whole only
// when the batch is empty or too long, the caller leaves, or time runs out.
func (s *Service) BatchClassify(ctx context.Context, req *classifierv1.BatchClassifyRequest) (*classifierv1.BatchClassifyResponse, error) {
	if n := len(req.GetItems()); n < 1 || n > maxItems {
		return nil, fault.InvalidField("items", fmt.Sprintf("must have 1 to %d entries, has %d", maxItems, n))
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp := &classifierv1.BatchClassifyResponse{Results: make([]*classifierv1.BatchResult, len(req.GetItems()))}
	for i, item := range req.GetItems() {
		if err := ctx.Err(); err != nil {
			return nil, status.FromContextError(err).Err()
		}
		result := &classifierv1.BatchResult{}
		if field, problem := check(item); field != "" {
			s.reject()
			result.Result = &classifierv1.BatchResult_Error{Error: &classifierv1.ItemError{
				Field: fmt.Sprintf("items[%d].%s", i, field), Message: problem,
			}}
		} else {
			result.Result = &classifierv1.BatchResult_Classification{Classification: s.classify(ctx, item)}
		}
		resp.Results[i] = result
	}
	return resp, nil
}

package classifier

import (
	"context"
	"encoding/json"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// samplePlace is where a page of samples ended.
type samplePlace struct {
	Micros int64  `json:"t"`
	ID     string `json:"i"`
}

// ListTrainingSamples lists the caller's samples; see the contract.
func (l *Learning) ListTrainingSamples(ctx context.Context, req *classifierv1.ListTrainingSamplesRequest) (*classifierv1.ListTrainingSamplesResponse, error) {
	if err := fault.CheckTexts("head", req.GetHead(), "source_id", req.GetSourceId()); err != nil {
		return nil, err
	}
	owner := callctx.Owner(ctx)
	filter := samplesFilter(owner, req)
	cursor, err := page.Cursor(filter, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := page.Size(req.GetPageSize(), standardPage, largestPage)
	q := store.SampleQuery{Owner: owner, Head: req.GetHead(), SourceID: req.GetSourceId(), Limit: size + 1}
	if cursor != "" {
		at := samplePlace{}
		if err := json.Unmarshal([]byte(cursor), &at); err != nil {
			return nil, page.Invalid()
		}
		q.Before = &classifierv1.TrainingSample{Id: at.ID, CreateTime: timestamppb.New(time.UnixMicro(at.Micros))}
	}
	list, err := l.store.Samples(ctx, q)
	if err != nil {
		return nil, storeFault(err, nil)
	}
	resp := &classifierv1.ListTrainingSamplesResponse{}
	for i, s := range list {
		if i == size {
			last := list[i-1]
			token, err := json.Marshal(samplePlace{last.GetCreateTime().AsTime().UnixMicro(), last.GetId()})
			if err != nil {
				return nil, fault.Internal(err)
			}
			resp.NextPageToken = page.Token(filter, string(token))
			break
		}
		resp.Samples = append(resp.Samples, s.TrainingSample)
	}
	return resp, nil
}

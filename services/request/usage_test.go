package request

import (
	"context"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// counted is a response room whose answers have used some tokens, whatever came of them.
type counted struct {
	responsev1.ResponseServiceCaller
}

func (c *counted) GetResponse(ctx context.Context, req *responsev1.GetResponseRequest) (*responsev1.GetResponseResponse, error) {
	resp, err := c.ResponseServiceCaller.GetResponse(ctx, req)
	if err == nil {
		resp.Response.Usage = &conversationv1.Usage{InputTokens: 7, OutputTokens: 2, Source: conversationv1.UsageSource_USAGE_SOURCE_PARTIAL}
	}
	return resp, err
}

// An answer of which no chunk came may have cost something: its request says what.
func TestUsageOfAnAnswerThatDidNotCome(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]int64{fault.OutcomePartial: 2, fault.OutcomeUnknown: 2, fault.OutcomeNotBegun: 0} {
		w := open(t, options{caller: func(c responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller { return &counted{c} }})
		w.response.Play(func(context.Context, *responsev1.GenerateRequest, func(...*conversationv1.Event) error) error {
			return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "it broke", "outcome", outcome)
		})
		equal(t, w.submit(t.Context(), ask("hi")), "error:PROVIDER_ERROR")
		equal(t, w.newest().GetUsage().GetOutputTokens(), want)
	}
}

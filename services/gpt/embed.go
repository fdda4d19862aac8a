package gpt

import (
	"context"
	"fmt"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/gptmesh/gptmesh/services/gpt/internal/tokens"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Embed implements gptv1.GPTServiceServer. To ledger, breaker and retries a
// call for vectors is an answer that comes in one piece.
func (s *Service) Embed(ctx context.Context, req *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error) {
	arrived := s.deps.Clock()
	estimate, err := checkInputs(req)
	if err != nil {
		return nil, err
	}
	admitted, err := s.calls.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer admitted.done()
	s.bound(admitted)
	ctx = admitted
	plan, err := s.registry.PlanEmbedding(ctx, req.GetModel())
	if err != nil {
		return nil, s.ended(ctx, err, "")
	}
	var resp *gptv1.EmbedResponse
	var target *registry.Target // who answered
	c := &call{
		service: s, plan: plan, request: &gptv1.GenerateRequest{}, arrived: arrived, estimate: estimate,
		operation: "embeddings",
	}
	c.work = &workOf{
		calling: func(ctx context.Context, to *registry.Option, _ *conversationv1.Turn, sink provider.Sink) (err error) {
			target = to.Target
			if resp, err = to.Place.Lane.Provider.Embed(ctx, &provider.EmbedCall{Request: req, Model: target.Name()}); err != nil {
				return err
			}
			if len(resp.GetEmbeddings()) != len(req.GetInputs()) {
				return provider.Protocol(target.Entry.Info.Name,
					fmt.Errorf("%d vectors for %d inputs", len(resp.GetEmbeddings()), len(req.GetInputs())))
			}
			return sink(embedded(resp))
		},
		sending: func(chunk *conversationv1.Chunk) error {
			for _, event := range chunk.GetEvents() {
				if usage := event.GetUsage(); usage != nil {
					resp.Usage = usage
				}
			}
			return nil
		},
	}
	if err := c.run(ctx); err != nil {
		return nil, c.fated(err)
	}
	resp.Provider = target.Entry.Info.Name
	if resp.GetModel() == "" {
		resp.Model = target.Name()
	}
	return resp, nil
}

// embedded is an answer's course in events.
func embedded(resp *gptv1.EmbedResponse) *conversationv1.Chunk {
	events := []*conversationv1.Event{{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}}}
	if resp.GetUsage() != nil {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: resp.GetUsage()}})
	}
	finished := &conversationv1.Finished{FinishTime: timestamppb.Now()}
	return &conversationv1.Chunk{Events: append(events, &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: finished}})}
}

// checkInputs checks the inputs and guesses their tokens.
func checkInputs(req *gptv1.EmbedRequest) (estimate int64, err error) {
	if len(req.GetInputs()) == 0 {
		return 0, fault.InvalidField("inputs", "must hold at least one input")
	}
	for i, input := range req.GetInputs() {
		ids := len(input.GetTokens().GetIds())
		if input.GetText() == "" && ids == 0 {
			return 0, fault.InvalidField(fmt.Sprintf("inputs.%d", i), "must not be empty")
		}
		estimate += tokens.Estimate(len(input.GetText())) + int64(ids)
	}
	return estimate, nil
}

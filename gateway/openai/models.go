package openai

import (
	"context"
	"net/http"
	"slices"

	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
)

// maxPages bounds a listing.
const maxPages = 100

// models lists the models of all providers.
func (f *face) models(x *edge.Exchange) {
	list, err := f.list(x.Context())
	if err != nil {
		x.Fail(err)
		return
	}
	if client := clientOf(x.Request().Header); client.mistral || client.openRouter {
		for i := range list {
			list[i].Mistral, list[i].OpenRouter = client.mistral, client.openRouter
		}
	}
	_ = x.JSON(http.StatusOK, wireopenai.EncodeModels(list))
}

func (f *face) list(ctx context.Context) ([]wireopenai.Model, error) {
	list := []wireopenai.Model{}
	request := &gptv1.ListModelsRequest{}
	for range maxPages {
		resp, err := f.gpt.ListModels(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, m := range resp.GetModels() {
			list = append(list, entry(m, m.GetId()))
		}
		if resp.GetNextPageToken() == "" {
			break
		}
		request = &gptv1.ListModelsRequest{PageToken: resp.GetNextPageToken()}
	}
	return list, nil
}

// model tells of one model, under the name that was asked for.
func (f *face) model(x *edge.Exchange) {
	x.SetModel(x.Param())
	resp, err := f.gpt.GetModel(x.Context(), &gptv1.GetModelRequest{Model: x.Param()})
	if err != nil {
		x.Fail(err)
		return
	}
	model := entry(resp.GetModel(), x.Param())
	model.Mistral = clientOf(x.Request().Header).mistral
	_ = x.JSON(http.StatusOK, wireopenai.EncodeModel(model))
}

func entry(m *gptv1.Model, id string) wireopenai.Model {
	can := func(c gptv1.Capability) bool { return slices.Contains(m.GetCapabilities(), c) }
	out := wireopenai.Model{
		ID: id, OwnedBy: m.GetOwnedBy(), Name: m.GetDisplayName(), ContextLength: m.GetContextLength(), MaxOutputTokens: m.GetMaxOutputTokens(),
		ToolCalling: can(gptv1.Capability_CAPABILITY_TOOLS), Vision: can(gptv1.Capability_CAPABILITY_VISION),
		InputPrice: -1, OutputPrice: -1,
		Thinking: can(gptv1.Capability_CAPABILITY_REASONING), FillsGaps: can(gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE),
	}
	if p := m.GetPrices(); p.GetCurrency() == "USD" {
		out.InputPrice, out.OutputPrice = p.GetInputPerMillion(), p.GetOutputPerMillion()
	}
	if out.OwnedBy == "" {
		out.OwnedBy = m.GetProvider()
	}
	if t := m.GetCreateTime(); t != nil {
		out.Created = t.AsTime()
	}
	return out
}

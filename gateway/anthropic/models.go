package anthropic

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// maxLimit is the largest page, Anthropic's own. Source:
// https://platform.claude.com/docs/en/api/models/list. It is also the page of a
// client that asks for none: many read the first page alone, and would not see
// most models of a mesh in Anthropic's 20.
const maxLimit = 1000

// maxPages bounds a listing of the gpt room.
const maxPages = 100

// modelInfo is a model as Anthropic words it.
type modelInfo struct {
	Type           string `json:"type"`
	ID             string `json:"id"`
	DisplayName    string `json:"display_name"`
	CreatedAt      string `json:"created_at"`       // the epoch where unknown
	MaxInputTokens *int64 `json:"max_input_tokens"` // null where unknown
	MaxTokens      *int64 `json:"max_tokens"`       // null where unknown
}

type modelPage struct {
	Data    []modelInfo `json:"data"`
	HasMore bool        `json:"has_more"`
	FirstID *string     `json:"first_id"`
	LastID  *string     `json:"last_id"`
}

// models lists the models that answer turns, page by page.
func (f *face) models(x *edge.Exchange) {
	wanted, err := readPage(x.Request().URL.Query())
	if err != nil {
		x.Fail(err)
		return
	}
	list, err := f.list(x.Context())
	if err != nil {
		x.Fail(err)
		return
	}
	page, err := wanted.cut(list)
	if err != nil {
		x.Fail(err)
		return
	}
	reply(x, page)
}

// model tells of one model, under the name that was asked for.
func (f *face) model(x *edge.Exchange) {
	x.SetModel(x.Param())
	resp, err := f.gpt.GetModel(x.Context(), &gptv1.GetModelRequest{Model: x.Param()})
	if err != nil {
		x.Fail(err)
		return
	}
	reply(x, infoOf(resp.GetModel(), x.Param()))
}

func reply(x *edge.Exchange, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		x.Fail(fault.Internal(err))
		return
	}
	_ = x.JSON(http.StatusOK, body)
}

func (f *face) list(ctx context.Context) ([]modelInfo, error) {
	list := []modelInfo{}
	request := &gptv1.ListModelsRequest{}
	for range maxPages {
		resp, err := f.gpt.ListModels(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, m := range resp.GetModels() {
			// Of a model that nothing is known about the best is hoped.
			if can := m.GetCapabilities(); len(can) == 0 || slices.Contains(can, gptv1.Capability_CAPABILITY_CHAT) {
				list = append(list, infoOf(m, m.GetId()))
			}
		}
		if resp.GetNextPageToken() == "" {
			break
		}
		request = &gptv1.ListModelsRequest{PageToken: resp.GetNextPageToken()}
	}
	return list, nil
}

func infoOf(m *gptv1.Model, id string) modelInfo {
	out := modelInfo{
		Type: "model", ID: id, DisplayName: m.GetDisplayName(),
		CreatedAt: m.GetCreateTime().AsTime().Format(time.RFC3339), // of no time: the epoch
	}
	if out.DisplayName == "" {
		out.DisplayName = id
	}
	if n := m.GetContextLength(); n > 0 {
		out.MaxInputTokens = &n
	}
	if n := m.GetMaxOutputTokens(); n > 0 {
		out.MaxTokens = &n
	}
	return out
}

// pageRequest is which part of the list is wanted.
type pageRequest struct {
	limit         int
	after, before string
}

func readPage(query url.Values) (pageRequest, error) {
	out := pageRequest{limit: maxLimit, after: query.Get("after_id"), before: query.Get("before_id")}
	if given := query.Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > maxLimit {
			return out, fault.InvalidField("limit", "must be a whole number from 1 to 1000")
		}
		out.limit = n
	}
	if out.after != "" && out.before != "" {
		return out, fault.InvalidField("before_id", "does not go with after_id")
	}
	return out, nil
}

// cut returns the page. With before it is the end of what stands before, and
// has_more says that there is more in that direction.
func (p pageRequest) cut(list []modelInfo) (modelPage, error) {
	at := func(field, id string) (int, error) {
		i := slices.IndexFunc(list, func(m modelInfo) bool { return m.ID == id })
		if i < 0 {
			return 0, fault.InvalidField(field, "names no model of the list")
		}
		return i, nil
	}
	var page modelPage
	switch {
	case p.before != "":
		end, err := at("before_id", p.before)
		if err != nil {
			return page, err
		}
		begin := max(end-p.limit, 0)
		page.Data, page.HasMore = list[begin:end], begin > 0
	default:
		begin := 0
		if p.after != "" {
			i, err := at("after_id", p.after)
			if err != nil {
				return page, err
			}
			begin = i + 1
		}
		end := min(begin+p.limit, len(list))
		page.Data, page.HasMore = list[begin:end], end < len(list)
	}
	if n := len(page.Data); n > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[n-1].ID
	}
	return page, nil
}

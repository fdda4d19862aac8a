package responses

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
)

// Bounds of a page; those of OpenAI.
const (
	defaultPage = 20
	maxPage     = 100
)

// items are those of messages, in order, but for instructions.
func items(messages []*conversationv1.Message) ([]wireresponses.Item, error) {
	var out []wireresponses.Item
	for _, m := range lasting(messages) {
		list, err := wireresponses.ItemsOf(m)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// page cuts a list as a client asks for it: order, after, before, limit.
func page(list []wireresponses.Item, query url.Values) (cut []wireresponses.Item, more bool, err error) {
	switch query.Get("order") {
	case "", "desc":
		slices.Reverse(list)
	case "asc":
	default:
		return nil, false, fault.InvalidField("order", "it must be asc or desc")
	}
	limit := defaultPage
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return nil, false, fault.InvalidField("limit", "it must be 1 to 100")
		}
	}
	find := func(name string) (int, error) {
		id := query.Get(name)
		at := slices.IndexFunc(list, func(i wireresponses.Item) bool { return i.ID == id })
		if id != "" && at < 0 {
			return 0, noItem(id, name)
		}
		return at, nil
	}
	before, err := find("before")
	if err != nil {
		return nil, false, err
	}
	if before >= 0 {
		list = list[:before]
	}
	after, err := find("after")
	if err != nil {
		return nil, false, err
	}
	list = list[after+1:]
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

// writeList answers with a page of items.
func writeList(x *edge.Exchange, list []wireresponses.Item, more bool) {
	out := []byte(`{"object":"list","data":[`)
	for i, item := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item.JSON...)
	}
	out = append(out, `],"first_id":`...)
	first, last := "", ""
	if len(list) > 0 {
		first, last = list[0].ID, list[len(list)-1].ID
	}
	out = append(orNull(out, first), `,"last_id":`...)
	out = append(orNull(out, last), `,"has_more":`...)
	out = append(strconv.AppendBool(out, more), '}')
	_ = x.JSON(http.StatusOK, out)
}

// inputItems lists what a response answers, its history included.
func (f *face) inputItems(x *edge.Exchange) {
	s, err := f.load(x.Context(), x.Param(), noResponse)
	if err != nil {
		x.Fail(err)
		return
	}
	unknown := fault.InvalidField("response_id", "the input items of a response are kept when it is complete; this one is not")
	if s.session() == "" || !s.final() {
		x.Fail(unknown)
		return
	}
	h, err := f.readSession(x.Context(), s.session())
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND) {
		err = noResponse(s.id)
	}
	if err != nil {
		x.Fail(err)
		return
	}
	n := h.upTo(s.id)
	if n == 0 {
		x.Fail(unknown)
		return
	}
	f.writeItems(x, h.messages[:n-1])
}

// writeItems answers with a page of the items of messages.
func (f *face) writeItems(x *edge.Exchange, messages []*conversationv1.Message) {
	list, err := items(messages)
	if err != nil {
		x.Fail(err)
		return
	}
	cut, more, err := page(list, x.Request().URL.Query())
	if err != nil {
		x.Fail(err)
		return
	}
	writeList(x, cut, more)
}

// idObject begins an object that has an id.
func idObject(id, object string) []byte {
	out := jsonscan.AppendString([]byte(`{"id":`), id)
	return jsonscan.AppendString(append(out, `,"object":`...), object)
}

package openai

import (
	"slices"
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
)

// spliceTurn keeps a raw body but for model, stream, stream_options, and the
// limit of tokens where the head has another one or a quirk another name.
func spliceTurn(turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, error) {
	var h head
	body := turn.GetRaw().GetBody()
	if err := h.scan(body); err != nil {
		return nil, err
	}
	if options.AskedUsage != nil {
		*options.AskedUsage = h.asksUsage()
	}
	var edits [5]jsonscan.Edit
	var model [128]byte
	edits[0] = jsonscan.Edit{At: h.members[atModel], Key: "model", Value: jsonscan.AppendString(model[:0], options.Model)}
	edits[1] = jsonscan.Edit{At: h.members[atStream], Key: "stream", Value: truth(options.Stream)}
	edits[2] = jsonscan.Edit{At: h.members[atStreamOptions], Key: "stream_options"}
	if options.Stream && !slices.Contains(options.Quirks, quirkNoStreamOptions) {
		value, err := streamOptions(h.members[atStreamOptions].Raw(body), options.WantUsage)
		if err != nil {
			return nil, err
		}
		edits[2].Value = value
	}
	limits, err := h.limitEdits(turn, options)
	if err != nil {
		return nil, err
	}
	edits[3], edits[4] = limits[0], limits[1]
	out, err := jsonscan.Splice(options.Room[:0], body, edits[:]...)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

var trueText, falseText = []byte("true"), []byte("false")

// truth is b as JSON, which nobody may change.
func truth(b bool) []byte {
	if b {
		return trueText
	}
	return falseText
}

// limitEdits write the limit of tokens back. An edit that changes nothing
// writes a member's own bytes again.
func (h *head) limitEdits(turn *conversationv1.Turn, options wire.TurnOptions) (edits [2]jsonscan.Edit, err error) {
	names := [2]int{atMaxTokens, atMaxCompletionTokens}
	for i, at := range names {
		edits[i] = jsonscan.Edit{At: h.members[at], Key: turnKeys.Name(at), Value: h.members[at].Raw(h.body)}
	}
	limit, stands := int64(0), -1
	for i, at := range names { // The latter counts.
		if h.given(at) {
			if limit, err = h.at(at).Integer(); err != nil {
				return edits, err
			}
			stands = i
		}
	}
	changed := turn.MaxOutputTokens != nil && turn.GetMaxOutputTokens() != limit
	if changed {
		limit = turn.GetMaxOutputTokens()
	}
	if limit == 0 {
		return edits, nil // with no limit, its name is not asked for
	}
	want := stands
	switch {
	case slices.Contains(options.Quirks, quirkMaxTokens):
		want = 0
	case slices.Contains(options.Quirks, quirkMaxCompletionTokens):
		want = 1
	case stands < 0 && limitName(options) == "max_tokens":
		want = 0
	case stands < 0:
		want = 1
	}
	if !changed && want == stands {
		return edits, nil
	}
	edits[1-want].Value = nil
	edits[want].Value = strconv.AppendInt(nil, limit, 10)
	return edits, nil
}

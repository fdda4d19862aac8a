package gemini

import (
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
)

// spliceTurn writes the members that the mesh acts on into a client's body: the
// model where it is named, and the limit of tokens where the head has another.
func spliceTurn(body []byte, turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	var edits []jsonscan.Edit
	if h.at[keyModel].Present() {
		edits = append(edits, jsonscan.Edit{
			At: h.at[keyModel], Key: "model", Value: jsonscan.AppendString(nil, ModelPath(options.Model)),
		})
	}
	if limit := turn.GetMaxOutputTokens(); limit > 0 && (h.limit == nil || *h.limit != limit) {
		value := strconv.AppendInt(nil, limit, 10)
		config := append(append([]byte(`{"maxOutputTokens":`), value...), '}')
		if h.config.Kind == jsonscan.Object {
			if config, err = spliceLimit(h, body, value); err != nil {
				return nil, fault.Internal(err)
			}
		}
		edits = append(edits, jsonscan.Edit{At: h.config, Key: "generationConfig", Value: config})
	}
	out, err := jsonscan.Splice(nil, body, edits...)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

// spliceLimit is generationConfig with another limit.
func spliceLimit(h *head, body, value []byte) ([]byte, error) {
	config := h.config.Raw(body)
	at := h.limitAt
	if at.Present() { // Its place within the body becomes that within the member.
		at.Key.Start, at.Key.End = at.Key.Start-h.config.Value.Start, at.Key.End-h.config.Value.Start
		at.Value.Start, at.Value.End = at.Value.Start-h.config.Value.Start, at.Value.End-h.config.Value.Start
	}
	return jsonscan.Splice(nil, config, jsonscan.Edit{At: at, Key: "maxOutputTokens", Value: value})
}

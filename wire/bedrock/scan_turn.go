package bedrock

import (
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// Positions in the result of a scan for turnKeys.
const (
	keyConfig = iota
	keyTools
	keyCount = 6 // the length of turnKeys
)

// turnKeys are the members of a turn that rooms act on or that say what the
// model is told. None may stand twice.
var (
	turnKeys   = jsonscan.NewKeys("inferenceConfig", "toolConfig", "messages", "system", "outputConfig", "additionalModelRequestFields")
	configKeys = jsonscan.NewKeys("maxTokens")
	toolsKeys  = jsonscan.NewKeys("tools")
)

// head is what a body says to the mesh.
type head struct {
	at       [keyCount]jsonscan.Member
	limit    *int64
	limitAt  jsonscan.Member // within inferenceConfig
	hasTools bool
}

// scan validates the body and reads its head.
func scan(body []byte) (*head, error) {
	h := &head{}
	if _, err := jsonscan.Scan(body, turnKeys, h.at[:0]); err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	top := jsonbody.Whole(body)
	if err := h.readLimit(top.Child(h.at[keyConfig])); err != nil {
		return nil, err
	}
	return h, h.readTools(top.Child(h.at[keyTools]))
}

func (h *head) readLimit(config *jsonbody.Value) error {
	found, err := inner(config, configKeys)
	if err != nil {
		return err
	}
	h.limitAt = found
	m := config.Child(found)
	if m.IsNull() {
		return nil
	}
	limit, err := m.Integer()
	if err == nil && limit < 1 {
		err = jsonbody.Malformed(m.Path(), "must be at least 1")
	}
	h.limit = &limit
	return err
}

func (h *head) readTools(config *jsonbody.Value) error {
	found, err := inner(config, toolsKeys)
	if err != nil {
		return err
	}
	if tools := config.Child(found); tools.Kind == jsonscan.Array {
		return tools.Elements(func(int, *jsonbody.Value) error {
			h.hasTools = true
			return nil
		})
	}
	return nil
}

// inner finds the one member wanted of an object that may be absent.
func inner(v *jsonbody.Value, keys *jsonscan.Keys) (jsonscan.Member, error) {
	if v.IsNull() {
		return jsonscan.Member{}, nil
	}
	if v.Kind != jsonscan.Object {
		return jsonscan.Member{}, v.Malformed("an object")
	}
	var room [1]jsonscan.Member
	at, err := jsonscan.ScanObject(v.Body(), v.Value, keys, room[:0])
	if err != nil {
		return jsonscan.Member{}, jsonbody.ScanFault(err)
	}
	return at[0], nil
}

// ScanTurn implements wire.Codec.
func (codec) ScanTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	return &conversationv1.Turn{
		MaxOutputTokens: h.limit, AcceptWire: own, HasTools: h.hasTools, Raw: &conversationv1.RawTurn{Wire: own, Body: body},
	}, nil
}

// spliceTurn writes the limit of tokens into a client's body where the head has
// another.
func spliceTurn(body []byte, turn *conversationv1.Turn) ([]byte, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	limit := turn.GetMaxOutputTokens()
	if limit <= 0 || h.limit != nil && *h.limit == limit {
		return body, nil
	}
	value := strconv.AppendInt(nil, limit, 10)
	config := append(append([]byte(`{"maxTokens":`), value...), '}')
	if at := h.at[keyConfig]; at.Kind == jsonscan.Object {
		inside := h.limitAt
		if inside.Present() { // Its place within the body becomes that within the member.
			inside.Key.Start, inside.Key.End = inside.Key.Start-at.Value.Start, inside.Key.End-at.Value.Start
			inside.Value.Start, inside.Value.End = inside.Value.Start-at.Value.Start, inside.Value.End-at.Value.Start
		}
		if config, err = jsonscan.Splice(nil, at.Raw(body), jsonscan.Edit{At: inside, Key: "maxTokens", Value: value}); err != nil {
			return nil, fault.Internal(err)
		}
	}
	out, err := jsonscan.Splice(nil, body, jsonscan.Edit{At: h.at[keyConfig], Key: "inferenceConfig", Value: config})
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

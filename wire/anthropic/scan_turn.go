package anthropic

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// Positions in the result of a scan for turnKeys.
const (
	keyModel = iota
	keyStream
	keyMaxTokens
	keyTools
	keyMessages
	keyCount = 12 // the length of turnKeys
)

// turnKeys are the members of a turn that rooms act on or that say what the
// model is told. None may stand twice.
var turnKeys = jsonscan.NewKeys("model", "stream", "max_tokens", "tools", "messages", "system", "tool_choice", "thinking",
	"output_config", "metadata", "temperature", "stop_sequences")

// head is what a body says to the mesh.
type head struct {
	at     [keyCount]jsonscan.Member
	model  string
	stream bool
	limit  *int64
}

// scan validates the body and reads its head.
func scan(body []byte) (*head, error) {
	h := &head{}
	if _, err := jsonscan.Scan(body, turnKeys, h.at[:0]); err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	top := jsonbody.Whole(body)
	member := func(key int) *jsonbody.Value { return top.Child(h.at[key]) }
	var err error
	if m := member(keyModel); !m.IsNull() {
		if h.model, err = m.String(); err != nil {
			return nil, err
		}
	}
	if m := member(keyStream); !m.IsNull() {
		if h.stream, err = m.Truth(); err != nil {
			return nil, err
		}
	}
	if m := member(keyMaxTokens); !m.IsNull() {
		limit, err := m.Integer()
		if err != nil {
			return nil, err
		}
		if limit < 1 {
			return nil, jsonbody.Malformed("max_tokens", "must be at least 1")
		}
		h.limit = &limit
	}
	return h, nil
}

// demandLimit refuses a body without max_tokens, as the API does.
func (h *head) demandLimit() error {
	if h.limit == nil {
		return jsonbody.Malformed("max_tokens", "Field required")
	}
	return nil
}

// demandMessages refuses a body that says nothing, as the API does.
func (h *head) demandMessages(body []byte) error {
	switch m := h.at[keyMessages]; m.Kind {
	case jsonscan.Absent, jsonscan.Null:
		return jsonbody.Malformed("messages", "Field required")
	case jsonscan.Array:
		if empty(m, body) {
			return jsonbody.Malformed("messages", "at least one message is required")
		}
	}
	return nil
}

// ScanTurn implements wire.Codec.
func (codec) ScanTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	if err := h.demandLimit(); err != nil {
		return nil, err
	}
	if err := h.demandMessages(body); err != nil {
		return nil, err
	}
	return &conversationv1.Turn{
		Model: h.model, Stream: h.stream, MaxOutputTokens: h.limit, AcceptWire: own,
		HasTools: h.at[keyTools].Kind == jsonscan.Array && !empty(h.at[keyTools], body),
		Raw:      &conversationv1.RawTurn{Wire: own, Body: body},
	}, nil
}

// empty tells whether an array or object has no content.
func empty(m jsonscan.Member, body []byte) bool {
	raw := m.Value.Of(body)
	return len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

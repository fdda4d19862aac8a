package gemini

import (
	"bytes"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// Positions in the result of a scan for turnKeys.
const (
	keyModel = iota
	keyContents
	keyTools
	keyConfig
	keyConfigSnake
	keySystem
	keySystemSnake
	keyToolConfig
	keyToolConfigSnake
	keyCount
)

// turnKeys are the members of a turn that rooms act on or that say what the
// model is told. None may stand twice, in either spelling.
var (
	turnKeys = jsonscan.NewKeys("model", "contents", "tools", "generationConfig", "generation_config",
		"systemInstruction", "system_instruction", "toolConfig", "tool_config")
	limitKeys = jsonscan.NewKeys("maxOutputTokens", "max_output_tokens")
)

// head is what a body says to the mesh.
type head struct {
	at       [keyCount]jsonscan.Member
	model    string
	limit    *int64
	config   jsonscan.Member // generationConfig
	limitAt  jsonscan.Member // within it
	hasTools bool
}

// scan validates the body and reads its head.
func scan(body []byte) (*head, error) {
	h := &head{}
	if _, err := jsonscan.Scan(body, turnKeys, h.at[:0]); err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	for _, pair := range [][2]int{{keyConfig, keyConfigSnake}, {keySystem, keySystemSnake}, {keyToolConfig, keyToolConfigSnake}} {
		if h.at[pair[0]].Present() && h.at[pair[1]].Present() {
			return nil, jsonbody.Duplicate(turnKeys.Name(pair[0]))
		}
	}
	top := jsonbody.Whole(body)
	if m := top.Child(h.at[keyModel]); !m.IsNull() {
		name, err := m.String()
		if err != nil {
			return nil, err
		}
		h.model = ModelName(name)
	}
	if h.config = h.at[keyConfig]; !h.config.Present() {
		h.config = h.at[keyConfigSnake]
	}
	if err := h.readLimit(top.Child(h.config)); err != nil {
		return nil, err
	}
	if tools := top.Child(h.at[keyTools]); tools.Kind == jsonscan.Array {
		_ = tools.Elements(func(_ int, tool *jsonbody.Value) error {
			h.hasTools = h.hasTools || declares(tool)
			return nil
		})
	}
	return h, nil
}

func (h *head) readLimit(config *jsonbody.Value) error {
	if config.IsNull() {
		return nil
	}
	if config.Kind != jsonscan.Object {
		return config.Malformed("an object")
	}
	var room [2]jsonscan.Member
	at, err := jsonscan.ScanObject(config.Body(), config.Value, limitKeys, room[:0])
	if err != nil {
		return jsonbody.ScanFault(err)
	}
	if at[0].Present() && at[1].Present() {
		return jsonbody.Duplicate(config.Name() + ".maxOutputTokens")
	}
	if h.limitAt = at[0]; !h.limitAt.Present() {
		h.limitAt = at[1]
	}
	m := config.Child(h.limitAt)
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

// declares tells whether an entry of tools brings any.
func declares(tool *jsonbody.Value) (any bool) {
	if tool.Kind != jsonscan.Object {
		return false
	}
	_ = tool.Members(func(name string, m *jsonbody.Value) error {
		switch {
		case m.IsNull():
		case camel(name) != "functionDeclarations":
			any = true
		case m.Kind == jsonscan.Array:
			raw := m.Raw(m.Body())
			any = any || len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
		}
		return nil
	})
	return any
}

// ScanTurn implements wire.Codec.
func (codec) ScanTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	return &conversationv1.Turn{
		Model: h.model, MaxOutputTokens: h.limit, AcceptWire: own, HasTools: h.hasTools,
		Raw: &conversationv1.RawTurn{Wire: own, Body: body},
	}, nil
}

// camel spells a name of snake_case in camelCase.
func camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	out, upper := make([]byte, 0, len(name)), false
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_' && len(out) > 0:
			upper = true
			continue
		case upper && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		upper = false
		out = append(out, c)
	}
	return string(out)
}

package anthropic

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/protobuf/proto"
)

// DecodeTurn implements wire.Codec.
func (codec) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	if err := h.demandLimit(); err != nil {
		return nil, err
	}
	return h.decode(body)
}

// DecodeCountRequest decodes a client's body of /v1/messages/count_tokens: a
// turn that needs no max_tokens.
func DecodeCountRequest(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	return h.decode(body)
}

// turnDecoder decodes one body.
type turnDecoder struct {
	turn     *conversationv1.Turn
	sampling conversationv1.Sampling
	rest     extra
	tools    map[string]string // names of the tools called, by id
	system   []*conversationv1.ContentPart
}

func (h *head) decode(body []byte) (*conversationv1.Turn, error) {
	d := &turnDecoder{
		turn:  &conversationv1.Turn{Model: h.model, Stream: h.stream, MaxOutputTokens: h.limit, ExtraWire: own},
		tools: map[string]string{},
	}
	if err := whole(body).members(d.member); err != nil {
		return nil, err
	}
	if len(d.system) > 0 {
		system := &conversationv1.Message{Role: conversationv1.Role_ROLE_SYSTEM, Parts: d.system}
		d.turn.Messages = append([]*conversationv1.Message{system}, d.turn.Messages...)
	}
	if proto.Size(&d.sampling) > 0 {
		d.turn.Sampling = &d.sampling
	}
	d.turn.ExtraJson = d.rest.object()
	return d.turn, nil
}

func (d *turnDecoder) member(name string, m *value) (err error) {
	if m.isNull() {
		return nil
	}
	switch name {
	case "model", "stream", "max_tokens": // They are in the head.
	case "messages":
		err = m.elements(func(_ int, e *value) error { return d.message(e) })
	case "system":
		d.system, err = d.content(m)
	case "tools":
		err = m.elements(func(_ int, e *value) error { return d.tool(e) })
	case "tool_choice":
		err = d.toolChoice(m)
	case "stop_sequences":
		err = m.elements(func(_ int, e *value) error {
			text, err := e.text()
			d.sampling.Stop = append(d.sampling.Stop, text)
			return err
		})
	case "temperature":
		d.sampling.Temperature, err = share(m)
	case "top_p":
		d.sampling.TopP, err = share(m)
	case "top_k":
		var n int64
		if n, err = m.integer(); err == nil && (n < 0 || n > math.MaxInt32) {
			err = malformed(m.path(), "must be from 0 to 2147483647")
		}
		d.sampling.TopK = proto.Int32(int32(n))
	case "thinking":
		err = d.thinking(m)
	case "output_config":
		err = d.outputConfig(m)
	case "metadata":
		err = d.metadata(m)
	default:
		d.rest.add(m)
	}
	return err
}

// share reads a number from 0 to 1.
func share(m *value) (*float64, error) {
	f, err := m.number()
	if err == nil && (f < 0 || f > 1) {
		err = malformed(m.path(), "must be from 0 to 1")
	}
	return &f, err
}

// thinking decodes whether and how long to think. What is no plain budget is
// also kept as it is.
func (d *turnDecoder) thinking(m *value) error {
	kind, known := "", true
	var budget *int64
	err := m.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "type":
			kind, err = m.text()
		case name == "budget_tokens":
			var n int64
			if n, err = m.integer(); err == nil && n < 1 {
				err = malformed(m.path(), "must be at least 1")
			}
			budget = &n
		default:
			known = false
		}
		return err
	})
	if err != nil {
		return err
	}
	r := d.reasoning()
	r.Enabled, r.BudgetTokens = proto.Bool(kind != "disabled"), budget
	if !known || kind != "enabled" && kind != "disabled" {
		d.rest.add(m)
	}
	return nil
}

func (d *turnDecoder) reasoning() *conversationv1.ReasoningOptions {
	if d.turn.Reasoning == nil {
		d.turn.Reasoning = &conversationv1.ReasoningOptions{}
	}
	return d.turn.Reasoning
}

// outputConfig decodes the form of the answer and the effort. Effort is also
// kept: it is more than how long to think.
func (d *turnDecoder) outputConfig(m *value) error {
	var rest extra
	err := m.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "format":
			return d.format(m, &rest)
		case name == "effort":
			d.reasoning().Effort, err = m.text()
			rest.add(m)
		default:
			rest.add(m)
		}
		return err
	})
	if object := rest.object(); object != "" && err == nil {
		d.rest.addJSON("output_config", object)
	}
	return err
}

func (d *turnDecoder) format(m *value, rest *extra) error {
	kind, schema, known := "", "", true
	err := m.members(func(name string, m *value) (err error) {
		switch {
		case name == "type":
			kind, err = m.text()
		case name == "schema" && m.Kind == jsonscan.Object:
			schema = m.raw()
		default:
			known = false
		}
		return err
	})
	if err != nil {
		return err
	}
	if kind != "json_schema" || schema == "" || !known {
		rest.add(m)
		return nil
	}
	d.turn.ResponseFormat = &conversationv1.ResponseFormat{
		Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, SchemaJson: schema,
	}
	return nil
}

func (d *turnDecoder) metadata(m *value) error {
	var rest extra
	err := m.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "user_id":
			d.turn.User, err = m.text()
		default:
			rest.add(m)
		}
		return err
	})
	if object := rest.object(); object != "" && err == nil {
		d.rest.addJSON("metadata", object)
	}
	return err
}

func (d *turnDecoder) toolChoice(m *value) error {
	kind, choice := "", &conversationv1.ToolChoice{}
	err := m.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "type":
			kind, err = m.text()
		case name == "name":
			choice.Name, err = m.text()
		case name == "disable_parallel_tool_use":
			var disabled bool
			if disabled, err = m.truth(); disabled {
				d.turn.ParallelToolCalls = proto.Bool(false)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	switch kind {
	case "auto":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO
	case "any":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED
	case "none":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE
	case "tool":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED
		if choice.Name == "" {
			return malformed("tool_choice.name", "a tool's name is required")
		}
	default:
		return malformed("tool_choice.type", "must be auto, any, tool or none")
	}
	d.turn.ToolChoice = choice
	return nil
}

func (d *turnDecoder) tool(e *value) error {
	tool, kind := &conversationv1.Tool{}, "custom"
	var rest extra
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "type":
			kind, err = m.text()
		case name == "name":
			tool.Name, err = m.text()
		case name == "description" && m.Kind == jsonscan.String:
			tool.Description, err = m.text()
		case name == "input_schema" && m.Kind == jsonscan.Object:
			tool.ParametersJson = m.raw()
		case name == "strict" && (m.Kind == jsonscan.True || m.Kind == jsonscan.False):
			tool.Strict = proto.Bool(m.Kind == jsonscan.True)
		default:
			rest.add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case kind != "custom":
		tool = &conversationv1.Tool{Name: tool.Name, WireType: kind, ExtraJson: e.raw()}
	case tool.Name == "":
		return malformed(e.path()+".name", "a tool needs a name")
	default:
		tool.ExtraJson = rest.object()
	}
	d.turn.Tools = append(d.turn.Tools, tool)
	return nil
}

package anthropic

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
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
	if err == nil {
		err = h.demandMessages(body)
	}
	if err != nil {
		return nil, err
	}
	return h.decode(body)
}

// turnDecoder decodes one body.
type turnDecoder struct {
	turn     *conversationv1.Turn
	sampling conversationv1.Sampling
	rest     jsonbody.Extra
	tools    map[string]string // names of the tools called, by id
	system   []*conversationv1.ContentPart
}

func (h *head) decode(body []byte) (*conversationv1.Turn, error) {
	d := &turnDecoder{
		turn:  &conversationv1.Turn{Model: h.model, Stream: h.stream, MaxOutputTokens: h.limit, ExtraWire: own},
		tools: map[string]string{},
	}
	if err := jsonbody.Whole(body).Members(d.member); err != nil {
		return nil, err
	}
	if len(d.system) > 0 {
		system := &conversationv1.Message{Role: conversationv1.Role_ROLE_SYSTEM, Parts: d.system}
		d.turn.Messages = append([]*conversationv1.Message{system}, d.turn.Messages...)
	}
	if d.sampling.PackedSize() > 0 {
		d.turn.Sampling = &d.sampling
	}
	d.turn.ExtraJson = d.rest.Object()
	return d.turn, nil
}

func (d *turnDecoder) member(name string, m *jsonbody.Value) (err error) {
	if m.IsNull() {
		return nil
	}
	switch name {
	case "model", "stream", "max_tokens": // They are in the head.
	case "messages":
		err = m.Elements(func(_ int, e *jsonbody.Value) error { return d.message(e) })
	case "system":
		d.system, err = d.content(m)
	case "tools":
		err = m.Elements(func(_ int, e *jsonbody.Value) error { return d.tool(e) })
	case "tool_choice":
		err = d.toolChoice(m)
	case "stop_sequences":
		err = m.Elements(func(_ int, e *jsonbody.Value) error {
			text, err := e.String()
			d.sampling.Stop = append(d.sampling.Stop, text)
			return err
		})
	case "temperature":
		d.sampling.Temperature, err = share(m)
	case "top_p":
		d.sampling.TopP, err = share(m)
	case "top_k":
		var n int64
		if n, err = m.Integer(); err == nil && (n < 0 || n > math.MaxInt32) {
			err = jsonbody.Malformed(m.Path(), "must be from 0 to 2147483647")
		}
		d.sampling.TopK = proto.Int32(int32(n))
	case "thinking":
		err = d.thinking(m)
	case "output_config":
		err = d.outputConfig(m)
	case "metadata":
		err = d.metadata(m)
	default:
		d.rest.Add(m)
	}
	return err
}

// share reads a number from 0 to 1.
func share(m *jsonbody.Value) (*float64, error) {
	f, err := m.Number()
	if err == nil && (f < 0 || f > 1) {
		err = jsonbody.Malformed(m.Path(), "must be from 0 to 1")
	}
	return &f, err
}

// thinking decodes whether and how long to think. What is no plain budget is
// also kept as it is.
func (d *turnDecoder) thinking(m *jsonbody.Value) error {
	kind, known := "", true
	var budget *int64
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "type":
			kind, err = m.String()
		case name == "budget_tokens":
			var n int64
			if n, err = m.Integer(); err == nil && n < 1 {
				err = jsonbody.Malformed(m.Path(), "must be at least 1")
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
		d.rest.Add(m)
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
func (d *turnDecoder) outputConfig(m *jsonbody.Value) error {
	var rest jsonbody.Extra
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "format":
			return d.format(m, &rest)
		case name == "effort":
			d.reasoning().Effort, err = m.String()
			rest.Add(m)
		default:
			rest.Add(m)
		}
		return err
	})
	if object := rest.Object(); object != "" && err == nil {
		d.rest.AddJSON("output_config", object)
	}
	return err
}

func (d *turnDecoder) format(m *jsonbody.Value, rest *jsonbody.Extra) error {
	kind, schema, known := "", "", true
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type":
			kind, err = m.String()
		case name == "schema" && m.Kind == jsonscan.Object:
			schema = m.JSON()
		default:
			known = false
		}
		return err
	})
	if err != nil {
		return err
	}
	if kind != "json_schema" || schema == "" || !known {
		rest.Add(m)
		return nil
	}
	d.turn.ResponseFormat = &conversationv1.ResponseFormat{
		Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, SchemaJson: schema,
	}
	return nil
}

func (d *turnDecoder) metadata(m *jsonbody.Value) error {
	var rest jsonbody.Extra
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "user_id":
			d.turn.User, err = m.String()
		default:
			rest.Add(m)
		}
		return err
	})
	if object := rest.Object(); object != "" && err == nil {
		d.rest.AddJSON("metadata", object)
	}
	return err
}

func (d *turnDecoder) toolChoice(m *jsonbody.Value) error {
	kind, choice := "", &conversationv1.ToolChoice{}
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "type":
			kind, err = m.String()
		case name == "name":
			choice.Name, err = m.String()
		case name == "disable_parallel_tool_use":
			var disabled bool
			if disabled, err = m.Truth(); disabled {
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
			return jsonbody.Malformed("tool_choice.name", "a tool's name is required")
		}
	default:
		return jsonbody.Malformed("tool_choice.type", "must be auto, any, tool or none")
	}
	d.turn.ToolChoice = choice
	return nil
}

func (d *turnDecoder) tool(e *jsonbody.Value) error {
	tool, kind := &conversationv1.Tool{}, "custom"
	var rest jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "type":
			kind, err = m.String()
		case name == "name":
			tool.Name, err = m.String()
		case name == "description" && m.Kind == jsonscan.String:
			tool.Description, err = m.String()
		case name == "input_schema" && m.Kind == jsonscan.Object:
			tool.ParametersJson = m.JSON()
		case name == "strict" && (m.Kind == jsonscan.True || m.Kind == jsonscan.False):
			tool.Strict = proto.Bool(m.Kind == jsonscan.True)
		default:
			rest.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case kind != "custom":
		tool = &conversationv1.Tool{Name: tool.Name, WireType: kind, ExtraJson: e.JSON()}
	case tool.Name == "":
		return jsonbody.Malformed(e.Path()+".name", "a tool needs a name")
	default:
		tool.ExtraJson = rest.Object()
	}
	d.turn.Tools = append(d.turn.Tools, tool)
	return nil
}

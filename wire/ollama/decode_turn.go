package ollama

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
)

// DecodeTurn implements wire.Codec. A body that only loads or unloads a model
// decodes to a turn without messages. Options that no field holds stand in
// extra_json under "options", first of all.
func (c codec) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	d := &turnDecoder{
		codec: c,
		turn:  &conversationv1.Turn{Model: h.model, Stream: h.stream, MaxOutputTokens: h.limit},
	}
	if err := jsonbody.Whole(body).Members(d.member); err != nil {
		return nil, err
	}
	return d.finish(), nil
}

// turnDecoder decodes one body.
type turnDecoder struct {
	codec
	turn     *conversationv1.Turn
	sampling conversationv1.Sampling
	options  jsonbody.Extra // options without a field
	rest     jsonbody.Extra
	calls    callLinks

	// Of /api/generate:
	system, prompt string
	images         []*conversationv1.ContentPart
}

func (d *turnDecoder) member(name string, m *jsonbody.Value) error {
	if m.IsNull() {
		return nil
	}
	switch name {
	case "model", "name", "stream", "max_output_tokens":
		return nil // They are in the head.
	case "options":
		return decodeOptions(m, &d.sampling, &d.options)
	case "stop":
		stop, err := decodeStop(m)
		if len(d.sampling.Stop) == 0 {
			d.sampling.Stop = stop
		}
		return err
	case "format":
		return d.format(m)
	case "think":
		return d.think(m)
	case "logprobs":
		var err error
		d.sampling.Logprobs, err = m.Truth()
		return err
	case "top_logprobs":
		n, err := m.Integer()
		if n < 0 || n > math.MaxInt32 {
			return jsonbody.Malformed(m.Path(), "want 0 to 20")
		}
		d.sampling.TopLogprobs = proto.Int32(int32(n))
		return err
	case "tools":
		return d.tools(m)
	}
	if known, err := d.content(name, m); known {
		return err
	}
	d.rest.Add(m)
	return nil
}

// content decodes the members that the two endpoints do not share.
func (d *turnDecoder) content(name string, m *jsonbody.Value) (known bool, err error) {
	if !d.generate() {
		if name == "messages" {
			return true, d.messages(m)
		}
		return false, nil
	}
	switch name {
	case "prompt":
		d.prompt, err = m.String()
	case "system":
		d.system, err = m.String()
	case "suffix":
		var suffix string
		if suffix, err = m.String(); suffix != "" {
			d.turn.Suffix = &suffix
		}
	case "images":
		d.images, err = decodeImages(m)
	case "raw":
		d.turn.RawPrompt, err = m.Truth()
	case "template", "context":
		return empty(m.Member, m.Body()), nil
	default:
		return false, nil
	}
	return true, err
}

// format decodes "json", a schema, or "" for free text.
func (d *turnDecoder) format(m *jsonbody.Value) error {
	if m.Kind == jsonscan.Object {
		d.turn.ResponseFormat = &conversationv1.ResponseFormat{
			Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, SchemaJson: m.JSON(),
		}
		return nil
	}
	name := ""
	if m.Kind == jsonscan.String {
		var err error
		if name, err = m.String(); err != nil || name == "" {
			return err
		}
	}
	if name != "json" {
		return jsonbody.Malformed(m.Path(), `want "json" or a JSON schema`)
	}
	d.turn.ResponseFormat = &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT}
	return nil
}

// think decodes true, false, or how much.
func (d *turnDecoder) think(m *jsonbody.Value) error {
	enabled, effort := m.Kind == jsonscan.True, ""
	if m.Kind == jsonscan.String {
		var err error
		if effort, err = m.String(); err != nil || effort == "" {
			return err
		}
		enabled = true
	}
	switch {
	case m.Kind != jsonscan.True && m.Kind != jsonscan.False && m.Kind != jsonscan.String,
		effort != "" && effort != "low" && effort != "medium" && effort != "high" && effort != "max":
		return jsonbody.Malformed(m.Path(), `want true, false, "low", "medium" or "high"`)
	}
	d.turn.Reasoning = &conversationv1.ReasoningOptions{Enabled: &enabled, Effort: effort}
	return nil
}

func (d *turnDecoder) finish() *conversationv1.Turn {
	t := d.turn
	if d.generate() {
		if d.system != "" {
			t.Messages = append(t.Messages, &conversationv1.Message{Role: conversationv1.Role_ROLE_SYSTEM, Parts: textParts(d.system)})
		}
		if d.prompt != "" || len(d.images) > 0 || t.Suffix != nil {
			parts := d.images
			if d.prompt != "" || len(parts) == 0 {
				parts = append(parts, textPart(d.prompt))
			}
			t.Messages = append(t.Messages, &conversationv1.Message{Role: conversationv1.Role_ROLE_USER, Parts: parts})
		}
	}
	if proto.Size(&d.sampling) > 0 {
		t.Sampling = &d.sampling
	}
	var all jsonbody.Extra
	if object := d.options.Object(); object != "" {
		all.AddJSON("options", object)
	}
	all.AddAll(&d.rest)
	t.ExtraJson, t.ExtraWire = all.Object(), d.wire
	return t
}

func (d *turnDecoder) tools(m *jsonbody.Value) error {
	return m.Elements(func(_ int, e *jsonbody.Value) error {
		tool, err := d.tool(e)
		d.turn.Tools = append(d.turn.Tools, tool)
		return err
	})
}

func (d *turnDecoder) tool(e *jsonbody.Value) (*conversationv1.Tool, error) {
	tool, kind := &conversationv1.Tool{}, "function"
	var rest, inner jsonbody.Extra
	function := false
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "type":
			kind, err = m.String()
		case name == "function":
			function = true
			err = decodeFunction(m, tool, &inner)
		default:
			rest.Add(m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if kind != "function" && kind != "" {
		return &conversationv1.Tool{WireType: kind, ExtraJson: e.JSON()}, nil
	}
	if !function || tool.Name == "" {
		return nil, jsonbody.Malformed(e.Path()+".function.name", "a tool needs a name")
	}
	if object := inner.Object(); object != "" {
		rest.AddJSON("function", object)
	}
	tool.ExtraJson = rest.Object()
	return tool, nil
}

func decodeFunction(function *jsonbody.Value, tool *conversationv1.Tool, rest *jsonbody.Extra) error {
	return function.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "name":
			tool.Name, err = m.String()
		case name == "description":
			tool.Description, err = m.String()
		case name == "parameters":
			if m.Kind != jsonscan.Object {
				return m.Malformed("an object")
			}
			tool.ParametersJson = m.JSON()
		default:
			rest.Add(m)
		}
		return err
	})
}

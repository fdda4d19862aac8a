package ollama

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
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
	if err := whole(body).members(d.member); err != nil {
		return nil, err
	}
	return d.finish(), nil
}

// turnDecoder decodes one body.
type turnDecoder struct {
	codec
	turn     *conversationv1.Turn
	sampling conversationv1.Sampling
	options  extra // options without a field
	rest     extra
	calls    callLinks

	// Of /api/generate:
	system, prompt string
	images         []*conversationv1.ContentPart
}

func (d *turnDecoder) member(name string, m *value) error {
	if m.isNull() {
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
		d.sampling.Logprobs, err = m.truth()
		return err
	case "top_logprobs":
		n, err := m.integer()
		if n < 0 || n > math.MaxInt32 {
			return malformed(m.path(), "want 0 to 20")
		}
		d.sampling.TopLogprobs = proto.Int32(int32(n))
		return err
	case "tools":
		return d.tools(m)
	}
	if known, err := d.content(name, m); known {
		return err
	}
	d.rest.add(m)
	return nil
}

// content decodes the members that the two endpoints do not share.
func (d *turnDecoder) content(name string, m *value) (known bool, err error) {
	if !d.generate() {
		if name == "messages" {
			return true, d.messages(m)
		}
		return false, nil
	}
	switch name {
	case "prompt":
		d.prompt, err = m.text()
	case "system":
		d.system, err = m.text()
	case "suffix":
		var suffix string
		if suffix, err = m.text(); suffix != "" {
			d.turn.Suffix = &suffix
		}
	case "images":
		d.images, err = decodeImages(m)
	case "raw":
		d.turn.RawPrompt, err = m.truth()
	case "template", "context":
		return empty(m.Member, m.body), nil
	default:
		return false, nil
	}
	return true, err
}

// format decodes "json", a schema, or "" for free text.
func (d *turnDecoder) format(m *value) error {
	if m.Kind == jsonscan.Object {
		d.turn.ResponseFormat = &conversationv1.ResponseFormat{
			Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, SchemaJson: m.raw(),
		}
		return nil
	}
	name := ""
	if m.Kind == jsonscan.String {
		var err error
		if name, err = m.text(); err != nil || name == "" {
			return err
		}
	}
	if name != "json" {
		return malformed(m.path(), `want "json" or a JSON schema`)
	}
	d.turn.ResponseFormat = &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT}
	return nil
}

// think decodes true, false, or how much.
func (d *turnDecoder) think(m *value) error {
	enabled, effort := m.Kind == jsonscan.True, ""
	if m.Kind == jsonscan.String {
		var err error
		if effort, err = m.text(); err != nil || effort == "" {
			return err
		}
		enabled = true
	}
	switch {
	case m.Kind != jsonscan.True && m.Kind != jsonscan.False && m.Kind != jsonscan.String,
		effort != "" && effort != "low" && effort != "medium" && effort != "high" && effort != "max":
		return malformed(m.path(), `want true, false, "low", "medium" or "high"`)
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
	var all extra
	if object := d.options.object(); object != "" {
		all.addJSON("options", object)
	}
	all.addAll(&d.rest)
	t.ExtraJson, t.ExtraWire = all.object(), d.wire
	return t
}

func (d *turnDecoder) tools(m *value) error {
	return m.elements(func(_ int, e *value) error {
		tool, err := d.tool(e)
		d.turn.Tools = append(d.turn.Tools, tool)
		return err
	})
}

func (d *turnDecoder) tool(e *value) (*conversationv1.Tool, error) {
	tool, kind := &conversationv1.Tool{}, "function"
	var rest, inner extra
	function := false
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "type":
			kind, err = m.text()
		case name == "function":
			function = true
			err = decodeFunction(m, tool, &inner)
		default:
			rest.add(m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if kind != "function" && kind != "" {
		return &conversationv1.Tool{WireType: kind, ExtraJson: e.raw()}, nil
	}
	if !function || tool.Name == "" {
		return nil, malformed(e.path()+".function.name", "a tool needs a name")
	}
	if object := inner.object(); object != "" {
		rest.addJSON("function", object)
	}
	tool.ExtraJson = rest.object()
	return tool, nil
}

func decodeFunction(function *value, tool *conversationv1.Tool, rest *extra) error {
	return function.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "name":
			tool.Name, err = m.text()
		case name == "description":
			tool.Description, err = m.text()
		case name == "parameters":
			if m.Kind != jsonscan.Object {
				return m.malformed("an object")
			}
			tool.ParametersJson = m.raw()
		default:
			rest.add(m)
		}
		return err
	})
}

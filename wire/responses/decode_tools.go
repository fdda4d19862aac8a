package responses

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

func (d *turnDecoder) decodeTools() error {
	if d.given(atTools) {
		err := d.at(atTools).Elements(func(_ int, e *jsonbody.Value) error {
			tool, err := decodeTool(e)
			if tool.GetWireType() != namespaceTool {
				d.out.Tools = append(d.out.Tools, tool)
				return err
			}
			tools, err := decodeNamespace(e)
			d.out.Tools = append(d.out.Tools, tools...)
			return err
		})
		if err != nil {
			return err
		}
	}
	if d.given(atParallelToolCalls) {
		parallel, err := d.at(atParallelToolCalls).Truth()
		if err != nil {
			return err
		}
		d.out.ParallelToolCalls = &parallel
	}
	return d.decodeToolChoice()
}

func decodeTool(e *jsonbody.Value) (*conversationv1.Tool, error) {
	tool := &conversationv1.Tool{}
	kind := ""
	if err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		if name == "type" {
			kind, err = m.String()
		}
		return err
	}); err != nil {
		return nil, err
	}
	switch kind {
	case "function":
	case "":
		return nil, jsonbody.Malformed(e.Path()+".type", "is required")
	case texttool.WireType:
		return texttool.Decode(e, e)
	default:
		return &conversationv1.Tool{WireType: kind, ExtraJson: e.JSON()}, nil
	}
	var extra jsonbody.Extra
	var take func(name string, m *jsonbody.Value) error
	take = func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type":
		case name == "function" && m.Kind == jsonscan.Object: // as in chat completions
			err = m.Members(take)
		case name == "name":
			tool.Name, err = m.String()
		case name == "description":
			tool.Description, err = m.StringOrNull()
		case name == "parameters" && m.IsNull(), name == "strict" && m.IsNull():
		case name == "parameters":
			if m.Kind != jsonscan.Object {
				return m.Malformed("an object")
			}
			tool.ParametersJson = m.JSON()
		case name == "strict":
			var strict bool
			strict, err = m.Truth()
			tool.Strict = &strict
		default:
			extra.Add(m)
		}
		return err
	}
	err := e.Members(take)
	if err == nil && tool.GetName() == "" {
		err = jsonbody.Malformed(e.Path()+".name", "is required")
	}
	tool.ExtraJson = extra.Object()
	return tool, err
}

// toolChoices are the modes that are one word.
var toolChoices = map[string]conversationv1.ToolChoiceMode{
	"none":     conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE,
	"auto":     conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO,
	"required": conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED,
}

func (d *turnDecoder) decodeToolChoice() error {
	if !d.given(atToolChoice) {
		return nil
	}
	choice := d.at(atToolChoice)
	switch choice.Kind {
	case jsonscan.String:
		word, err := choice.String()
		if err != nil {
			return err
		}
		mode, known := toolChoices[word]
		if !known {
			d.kept[atToolChoice] = true
			return nil
		}
		d.out.ToolChoice = &conversationv1.ToolChoice{Mode: mode}
		return nil
	case jsonscan.Object:
	default:
		return choice.Malformed("a string or an object")
	}
	kind, named, whole := "", "", true
	var take func(name string, m *jsonbody.Value) error
	take = func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type":
			kind, err = m.String()
		case name == "name":
			named, err = m.String()
		case name == "function" && m.Kind == jsonscan.Object: // as in chat completions
			err = m.Members(take)
		default:
			whole = false
		}
		return err
	}
	if err := choice.Members(take); err != nil {
		return err
	}
	if kind != "function" && kind != texttool.WireType || named == "" || !whole {
		d.kept[atToolChoice] = true
		return nil
	}
	d.out.ToolChoice = &conversationv1.ToolChoice{Mode: conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED, Name: named}
	return nil
}

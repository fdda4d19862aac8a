package openai

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
			d.out.Tools = append(d.out.Tools, tool)
			return err
		})
		if err != nil {
			return err
		}
	}
	if d.given(atFunctions) {
		err := d.at(atFunctions).Elements(func(_ int, e *jsonbody.Value) error {
			tool := &conversationv1.Tool{}
			var inner, outer jsonbody.Extra
			if err := decodeFunction(e, tool, &inner); err != nil {
				return err
			}
			outer.AddInner("function", &inner)
			tool.ExtraJson = outer.Object()
			d.out.Tools = append(d.out.Tools, tool)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return d.decodeToolChoice()
}

func decodeTool(e *jsonbody.Value) (*conversationv1.Tool, error) {
	tool := &conversationv1.Tool{}
	kind := ""
	var function, custom *jsonbody.Value
	var outer, inner jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type":
			kind, err = m.String()
		case name == "function" && !m.IsNull():
			function = m
		case name == texttool.WireType:
			custom = m
			outer.Add(m)
		default:
			outer.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case kind == texttool.WireType && custom != nil && custom.Kind == jsonscan.Object:
		return texttool.Decode(e, custom)
	case kind != "function" && kind != "":
		return &conversationv1.Tool{WireType: kind, ExtraJson: e.JSON()}, nil
	case function == nil:
		return nil, jsonbody.Malformed(e.Path()+".function", "is required")
	}
	if err := decodeFunction(function, tool, &inner); err != nil {
		return nil, err
	}
	outer.AddInner("function", &inner)
	tool.ExtraJson = outer.Object()
	return tool, nil
}

func decodeFunction(e *jsonbody.Value, tool *conversationv1.Tool, inner *jsonbody.Extra) error {
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "name":
			tool.Name, err = m.String()
		case name == "description":
			tool.Description, err = m.StringOrNull()
		case name == "parameters" && m.IsNull():
		case name == "parameters":
			if m.Kind != jsonscan.Object {
				return m.Malformed("an object")
			}
			tool.ParametersJson = m.JSON()
		case name == "strict" && m.IsNull():
		case name == "strict":
			var strict bool
			strict, err = m.Truth()
			tool.Strict = &strict
		default:
			inner.Add(m)
		}
		return err
	})
	if err == nil && tool.GetName() == "" {
		return jsonbody.Malformed(e.Path()+".name", "is required")
	}
	return err
}

// toolChoices are the modes that are one word.
var toolChoices = map[string]conversationv1.ToolChoiceMode{
	"none":     conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE,
	"auto":     conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO,
	"required": conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED,
}

// decodeToolChoice reads tool_choice, or else the legacy function_call.
func (d *turnDecoder) decodeToolChoice() error {
	at := atToolChoice
	if !d.given(at) {
		at = atFunctionCall
	}
	if !d.given(at) {
		return nil
	}
	choice := d.at(at)
	switch choice.Kind {
	case jsonscan.String:
		word, err := choice.String()
		if err != nil {
			return err
		}
		mode, known := toolChoices[word]
		if !known {
			d.kept[at] = true
			return nil
		}
		d.out.ToolChoice = &conversationv1.ToolChoice{Mode: mode}
		return nil
	case jsonscan.Object:
	default:
		return choice.Malformed("a string or an object")
	}
	named, whole, err := decodeNamedChoice(choice, at == atFunctionCall)
	if err != nil {
		return err
	}
	if named == "" || !whole {
		d.kept[at] = true
		return nil
	}
	d.out.ToolChoice = &conversationv1.ToolChoice{Mode: conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED, Name: named}
	return nil
}

// decodeNamedChoice reads {"type":"function","function":{"name":…}}, the same of a
// custom tool, or the legacy {"name":…}, and reports whether that was all.
func decodeNamedChoice(choice *jsonbody.Value, legacy bool) (named string, whole bool, err error) {
	whole = true
	nameOf := func(v *jsonbody.Value) error {
		return v.Members(func(name string, m *jsonbody.Value) (err error) {
			if name == "name" {
				named, err = m.String()
				return err
			}
			whole = false
			return nil
		})
	}
	if legacy {
		err = nameOf(choice)
		return named, whole, err
	}
	kind, held := "", ""
	err = choice.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type":
			kind, err = m.String()
			return err
		case (name == "function" || name == texttool.WireType) && m.Kind == jsonscan.Object && held == "":
			held = name
			return nameOf(m)
		}
		whole = false
		return nil
	})
	return named, whole && kind == held, err
}

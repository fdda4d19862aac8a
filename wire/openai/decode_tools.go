package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

func (d *turnDecoder) decodeTools() error {
	if d.given(atTools) {
		err := d.at(atTools).elements(func(_ int, e *value) error {
			tool, err := decodeTool(e)
			d.out.Tools = append(d.out.Tools, tool)
			return err
		})
		if err != nil {
			return err
		}
	}
	if d.given(atFunctions) {
		err := d.at(atFunctions).elements(func(_ int, e *value) error {
			tool := &conversationv1.Tool{}
			var inner, outer rest
			if err := decodeFunction(e, tool, &inner); err != nil {
				return err
			}
			outer.nest("function", inner)
			tool.ExtraJson = outer.object()
			d.out.Tools = append(d.out.Tools, tool)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return d.decodeToolChoice()
}

func decodeTool(e *value) (*conversationv1.Tool, error) {
	tool := &conversationv1.Tool{}
	kind := ""
	var function *value
	var outer, inner rest
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type":
			kind, err = m.text()
		case name == "function" && !m.null():
			function = m
		default:
			outer.add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case kind != "function" && kind != "":
		return &conversationv1.Tool{WireType: kind, ExtraJson: e.json()}, nil
	case function == nil:
		return nil, malformed(e.path()+".function", "is required")
	}
	if err := decodeFunction(function, tool, &inner); err != nil {
		return nil, err
	}
	outer.nest("function", inner)
	tool.ExtraJson = outer.object()
	return tool, nil
}

func decodeFunction(e *value, tool *conversationv1.Tool, inner *rest) error {
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case name == "name":
			tool.Name, err = m.text()
		case name == "description":
			tool.Description, err = m.textOrNull()
		case name == "parameters" && m.null():
		case name == "parameters":
			if m.Kind != jsonscan.Object {
				return m.mismatch("an object")
			}
			tool.ParametersJson = m.json()
		case name == "strict" && m.null():
		case name == "strict":
			var strict bool
			strict, err = m.truth()
			tool.Strict = &strict
		default:
			inner.add(m)
		}
		return err
	})
	if err == nil && tool.GetName() == "" {
		return malformed(e.path()+".name", "is required")
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
		word, err := choice.text()
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
		return choice.mismatch("a string or an object")
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

// decodeNamedChoice reads {"type":"function","function":{"name":…}}, or the
// legacy {"name":…}, and reports whether that was all.
func decodeNamedChoice(choice *value, legacy bool) (named string, whole bool, err error) {
	whole = true
	nameOf := func(v *value) error {
		return v.members(func(name string, m *value) (err error) {
			if name == "name" {
				named, err = m.text()
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
	err = choice.members(func(name string, m *value) error {
		switch {
		case name == "type":
			kind, err := m.text()
			whole = whole && kind == "function"
			return err
		case name == "function" && m.Kind == jsonscan.Object:
			return nameOf(m)
		}
		whole = false
		return nil
	})
	return named, whole, err
}

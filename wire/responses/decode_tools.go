package responses

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
	if d.given(atParallelToolCalls) {
		parallel, err := d.at(atParallelToolCalls).truth()
		if err != nil {
			return err
		}
		d.out.ParallelToolCalls = &parallel
	}
	return d.decodeToolChoice()
}

func decodeTool(e *value) (*conversationv1.Tool, error) {
	tool := &conversationv1.Tool{}
	kind := ""
	if err := e.members(func(name string, m *value) (err error) {
		if name == "type" {
			kind, err = m.text()
		}
		return err
	}); err != nil {
		return nil, err
	}
	switch kind {
	case "function":
	case "":
		return nil, malformed(e.path()+".type", "is required")
	default:
		return &conversationv1.Tool{WireType: kind, ExtraJson: e.json()}, nil
	}
	var extra rest
	var take func(name string, m *value) error
	take = func(name string, m *value) (err error) {
		switch {
		case name == "type":
		case name == "function" && m.Kind == jsonscan.Object: // as in chat completions
			err = m.members(take)
		case name == "name":
			tool.Name, err = m.text()
		case name == "description":
			tool.Description, err = m.textOrNull()
		case name == "parameters" && m.null(), name == "strict" && m.null():
		case name == "parameters":
			if m.Kind != jsonscan.Object {
				return m.mismatch("an object")
			}
			tool.ParametersJson = m.json()
		case name == "strict":
			var strict bool
			strict, err = m.truth()
			tool.Strict = &strict
		default:
			extra.add(m)
		}
		return err
	}
	err := e.members(take)
	if err == nil && tool.GetName() == "" {
		err = malformed(e.path()+".name", "is required")
	}
	tool.ExtraJson = extra.object()
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
		word, err := choice.text()
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
		return choice.mismatch("a string or an object")
	}
	kind, named, whole := "", "", true
	var take func(name string, m *value) error
	take = func(name string, m *value) (err error) {
		switch {
		case name == "type":
			kind, err = m.text()
		case name == "name":
			named, err = m.text()
		case name == "function" && m.Kind == jsonscan.Object: // as in chat completions
			err = m.members(take)
		default:
			whole = false
		}
		return err
	}
	if err := choice.members(take); err != nil {
		return err
	}
	if kind != "function" || named == "" || !whole {
		d.kept[atToolChoice] = true
		return nil
	}
	d.out.ToolChoice = &conversationv1.ToolChoice{Mode: conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED, Name: named}
	return nil
}

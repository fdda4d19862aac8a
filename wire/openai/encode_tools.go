package openai

import (
	"fmt"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

func (e *turnEncoder) tools() error {
	if len(e.turn.GetTools()) == 0 {
		e.toolChoice()
		return nil
	}
	begun := false
	for i, tool := range e.turn.GetTools() {
		path := fmt.Sprintf("tools[%d]", i)
		if tool.GetWireType() != "" && e.client != own {
			function := texttool.Function(tool)
			if function == nil {
				e.dropped.Below(dropped.AtTool, tool.GetWireType())
				continue
			}
			tool = function
		}
		if !begun {
			begun = true
			e.member("tools")
			e.Open('[')
		}
		if tool.GetWireType() != "" {
			if err := e.checked(path+".extra_json", tool.GetExtraJson()); err != nil {
				return err
			}
			continue
		}
		if err := e.tool(path, tool); err != nil {
			return err
		}
	}
	if begun {
		e.Close(']')
		e.toolChoice()
	}
	return nil
}

// texts says whether a name is that of a custom tool which the provider is told of as the
// client told of it.
func (e *turnEncoder) texts(name string) bool {
	if e.client != own {
		return false
	}
	for _, tool := range e.turn.GetTools() {
		if tool.GetWireType() == texttool.WireType && tool.GetName() == name {
			return true
		}
	}
	return false
}

func (e *turnEncoder) tool(path string, tool *conversationv1.Tool) error {
	e.Open('{')
	e.StrField("type", "function")
	e.Key("function")
	e.Open('{')
	e.StrField("name", tool.GetName())
	if tool.GetDescription() != "" {
		e.StrField("description", tool.GetDescription())
	}
	if tool.GetParametersJson() != "" {
		e.Key("parameters")
		if err := e.checked(path+".parameters_json", tool.GetParametersJson()); err != nil {
			return err
		}
	}
	if tool.Strict != nil {
		e.TruthField("strict", tool.GetStrict())
	}
	after, err := e.nested("tools[]", dropped.AtTool, tool.GetExtraJson(), "function")
	if err != nil {
		return err
	}
	e.Close('}')
	e.extra(dropped.AtTool, after)
	e.Close('}')
	return nil
}

func (e *turnEncoder) toolChoice() {
	if len(e.turn.GetTools()) == 0 && e.client != own {
		return
	}
	choice := e.turn.GetToolChoice()
	if choice.GetMode() == conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED {
		kind := "function"
		if e.texts(choice.GetName()) {
			kind = texttool.WireType
		}
		e.member("tool_choice")
		e.Open('{')
		e.StrField("type", kind)
		e.Key(kind)
		e.Open('{')
		e.StrField("name", choice.GetName())
		e.Close('}')
		e.Close('}')
	}
	for word, mode := range toolChoices {
		if mode == choice.GetMode() { // One word has it at most.
			e.member("tool_choice")
			e.Str(word)
		}
	}
	if e.turn.ParallelToolCalls != nil {
		e.member("parallel_tool_calls")
		e.Truth(e.turn.GetParallelToolCalls())
	}
}

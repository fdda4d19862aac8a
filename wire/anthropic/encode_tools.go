package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// tools writes the members tools and tool_choice.
func (e *turnEncoder) tools() {
	var list []string
	for _, tool := range e.turn.GetTools() {
		if encoded := e.tool(tool); encoded != "" {
			list = append(list, encoded)
		}
	}
	if len(list) == 0 {
		return
	}
	e.w.Key("tools")
	e.w.Open('[')
	for _, tool := range list {
		e.w.Raw(tool)
	}
	e.w.Close(']')
	e.toolChoice()
}

func (e *turnEncoder) tool(tool *conversationv1.Tool) string {
	if tool.GetWireType() != "" {
		if e.ours() && jsonObject(tool.GetExtraJson()) {
			return tool.GetExtraJson()
		}
		function := texttool.Function(tool)
		if function == nil {
			e.dropped.Below(dropped.AtTool, tool.GetWireType())
			return ""
		}
		tool = function
	}
	b := &writer{}
	b.Open('{')
	b.StrField("name", tool.GetName())
	if tool.GetDescription() != "" {
		b.StrField("description", tool.GetDescription())
	}
	parameters := tool.GetParametersJson()
	if !jsonObject(parameters) {
		if parameters != "" {
			e.drop(dropped.Parameters)
		}
		parameters = `{"type":"object","properties":{}}`
	}
	b.RawField("input_schema", parameters)
	if tool.Strict != nil {
		if e.ours() {
			b.Key("strict")
			b.Truth(tool.GetStrict())
		} else if tool.GetStrict() {
			e.drop(dropped.Strict)
		}
	}
	e.extra(b, dropped.AtTool, tool.GetExtraJson())
	b.Close('}')
	return string(b.B)
}

func (e *turnEncoder) toolChoice() {
	choice := e.turn.GetToolChoice()
	kind := ""
	switch choice.GetMode() {
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO:
		kind = "auto"
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE:
		kind = "none"
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED:
		kind = "any"
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED:
		kind = "tool"
	}
	single := e.turn.ParallelToolCalls != nil && !e.turn.GetParallelToolCalls() && kind != "none"
	if kind == "" && single {
		kind = "auto"
	}
	if kind == "" {
		return
	}
	e.w.Key("tool_choice")
	e.w.Open('{')
	e.w.StrField("type", kind)
	if kind == "tool" {
		e.w.StrField("name", choice.GetName())
	}
	if single {
		e.w.RawField("disable_parallel_tool_use", "true")
	}
	e.w.Close('}')
}

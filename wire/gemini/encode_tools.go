package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// tools writes the members tools and toolConfig.
func (e *turnEncoder) tools() {
	var functions, others []string
	for _, tool := range e.turn.GetTools() {
		switch {
		case tool.GetWireType() == "":
			functions = append(functions, e.function(tool))
		case e.ours() && jsonbody.IsObject(tool.GetExtraJson()):
			others = append(others, tool.GetExtraJson())
		case texttool.Function(tool) != nil:
			functions = append(functions, e.function(texttool.Function(tool)))
		default:
			e.dropped.Below(dropped.AtTool, tool.GetWireType())
		}
	}
	if len(functions)+len(others) > 0 {
		e.w.Key("tools")
		e.w.Open('[')
		if len(functions) > 0 {
			e.w.Open('{')
			e.w.Key("functionDeclarations")
			e.w.Raws(functions)
			e.w.Close('}')
		}
		for _, tool := range others {
			e.w.Raw(tool)
		}
		e.w.Close(']')
	}
	switch {
	case e.kept.toolConfig != "":
		e.w.RawField("toolConfig", e.kept.toolConfig)
	case len(functions)+len(others) > 0:
		e.toolConfig()
	}
}

func (e *turnEncoder) function(tool *conversationv1.Tool) string {
	b := &jsonbody.Writer{}
	b.Open('{')
	b.StrField("name", tool.GetName())
	if tool.GetDescription() != "" {
		b.StrField("description", tool.GetDescription())
	}
	switch parameters := tool.GetParametersJson(); {
	case jsonbody.IsObject(parameters):
		b.RawField("parametersJsonSchema", parameters)
	case parameters != "":
		e.drop(dropped.Parameters)
	}
	if tool.GetStrict() {
		e.drop(dropped.Strict)
	}
	if e.ours() {
		b.Extra(tool.GetExtraJson(), nil)
	} else {
		e.dropped.Extra(dropped.AtTool, tool.GetExtraJson())
	}
	b.Close('}')
	return string(b.B)
}

func (e *turnEncoder) toolConfig() {
	choice := e.turn.GetToolChoice()
	mode := ""
	switch choice.GetMode() {
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO:
		mode = "AUTO"
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE:
		mode = "NONE"
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED, conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED:
		mode = "ANY"
	default:
		return
	}
	e.w.Key("toolConfig")
	e.w.Open('{')
	e.w.Key("functionCallingConfig")
	e.w.Open('{')
	e.w.StrField("mode", mode)
	if choice.GetMode() == conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED {
		e.w.Key("allowedFunctionNames")
		e.w.Strings([]string{choice.GetName()})
	}
	e.w.Close('}')
	e.w.Close('}')
}

package ollama

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

func (e *turnEncoder) messages() {
	e.w.Key("messages")
	e.w.Open('[')
	for _, m := range e.turn.GetMessages() {
		switch m.GetRole() {
		case conversationv1.Role_ROLE_TOOL:
			e.toolResults(m)
		case conversationv1.Role_ROLE_ASSISTANT:
			e.assistant(m)
		case conversationv1.Role_ROLE_SYSTEM:
			e.plain("system", m)
		default:
			e.plain("user", m)
		}
	}
	e.w.Close(']')
}

// ending writes what a message of any role may have and closes it.
func (e *turnEncoder) ending(m *conversationv1.Message) {
	if m.GetName() != "" {
		e.drop(dropped.Name)
	}
	e.nestedExtra(dropped.AtMessage, m.GetExtraJson(), nil)
	e.w.Close('}')
}

func (e *turnEncoder) plain(role string, m *conversationv1.Message) {
	text, images := e.content(m.GetParts())
	e.w.Open('{')
	e.w.StrField("role", role)
	e.w.StrField("content", text)
	e.images(images)
	e.ending(m)
}

func (e *turnEncoder) assistant(m *conversationv1.Message) {
	var thoughts []string
	var calls, rest []*conversationv1.ContentPart
	for _, part := range m.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Reasoning:
			if kind.Reasoning.GetText() != "" {
				thoughts = append(thoughts, kind.Reasoning.GetText())
			}
			if kind.Reasoning.GetSignature() != "" {
				e.drop(dropped.Signature)
			}
			if kind.Reasoning.GetRedacted() != "" {
				e.drop(dropped.Redacted)
			}
		case *conversationv1.ContentPart_ToolCall:
			calls = append(calls, part)
		default:
			rest = append(rest, part)
		}
	}
	text, images := e.content(rest)
	e.w.Open('{')
	e.w.StrField("role", "assistant")
	e.w.StrField("content", text)
	if len(thoughts) > 0 {
		e.w.StrField("thinking", strings.Join(thoughts, "\n"))
	}
	e.images(images)
	if len(calls) > 0 {
		e.w.Key("tool_calls")
		e.w.Open('[')
		for i, part := range calls {
			e.toolCall(i, part)
		}
		e.w.Close(']')
	}
	e.ending(m)
}

func (e *turnEncoder) toolCall(index int, part *conversationv1.ContentPart) {
	call := part.GetToolCall()
	arguments, ok := argumentsObject(call.GetArgumentsJson())
	if !ok {
		e.drop(dropped.Arguments)
	}
	e.w.Open('{')
	if call.GetId() != "" {
		e.w.StrField("id", call.GetId())
	}
	e.w.Key("function")
	e.w.Open('{')
	e.w.IntField("index", int64(index))
	e.w.StrField("name", call.GetName())
	e.w.RawField("arguments", arguments)
	e.w.Close('}')
	e.nestedExtra(dropped.AtCall, part.GetExtraJson(), nil)
	e.w.Close('}')
}

// toolResults writes a message per result.
func (e *turnEncoder) toolResults(m *conversationv1.Message) {
	for _, part := range m.GetParts() {
		result := part.GetToolResult()
		if result == nil {
			e.content([]*conversationv1.ContentPart{part})
			continue
		}
		text, images := e.content(result.GetParts())
		if result.GetIsError() {
			e.drop(dropped.IsError)
		}
		e.w.Open('{')
		e.w.StrField("role", "tool")
		e.w.StrField("content", text)
		e.images(images)
		if name := e.toolName(result); name != "" {
			e.w.StrField("tool_name", name)
		}
		if result.GetToolCallId() != "" {
			e.w.StrField("tool_call_id", result.GetToolCallId())
		}
		e.dropped.Extra(dropped.AtPart, part.GetExtraJson())
		e.ending(m)
	}
}

// toolName is the tool of a result; wires with ids leave it to the call.
func (e *turnEncoder) toolName(result *conversationv1.ToolResult) string {
	if result.GetToolName() != "" {
		return result.GetToolName()
	}
	for _, m := range e.turn.GetMessages() {
		for _, part := range m.GetParts() {
			if call := part.GetToolCall(); call.GetId() != "" && call.GetId() == result.GetToolCallId() {
				return call.GetName()
			}
		}
	}
	return ""
}

func (e *turnEncoder) tools() {
	none := e.turn.GetToolChoice().GetMode() == conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE
	if len(e.turn.GetTools()) == 0 || none {
		return
	}
	e.w.Key("tools")
	e.w.Open('[')
	for _, tool := range e.turn.GetTools() {
		e.tool(tool)
	}
	e.w.Close(']')
}

func (e *turnEncoder) tool(tool *conversationv1.Tool) {
	if tool.GetWireType() != "" {
		function := texttool.Function(tool)
		switch {
		case function != nil:
			tool = function
		case related(e.turn.GetExtraWire()) && jsonObject(tool.GetExtraJson()):
			e.w.Raw(tool.GetExtraJson())
			return
		default:
			e.dropped.Below(dropped.AtTool, tool.GetWireType())
			return
		}
	}
	if tool.Strict != nil {
		e.drop(dropped.Strict)
	}
	e.w.Open('{')
	e.w.StrField("type", "function")
	e.w.Key("function")
	e.w.Open('{')
	e.w.StrField("name", tool.GetName())
	if tool.GetDescription() != "" {
		e.w.StrField("description", tool.GetDescription())
	}
	parameters := tool.GetParametersJson()
	if !jsonObject(parameters) {
		if parameters != "" {
			e.drop(dropped.Parameters)
		}
		parameters = `{"type":"object","properties":{}}`
	}
	e.w.RawField("parameters", parameters)
	if related(e.turn.GetExtraWire()) {
		e.w.Extra(functionExtra(tool.GetExtraJson()), nil)
	}
	e.w.Close('}')
	e.nestedExtra(dropped.AtTool, tool.GetExtraJson(), func(name string) bool { return name == "function" })
	e.w.Close('}')
}

// functionExtra is the object under "function" in a tool's extra_json.
func functionExtra(object string) string {
	if object == "" {
		return ""
	}
	inner := ""
	_ = jsonbody.Whole([]byte(object)).Members(func(name string, m *jsonbody.Value) error {
		if name == "function" && m.Kind == jsonscan.Object {
			inner = m.JSON()
		}
		return nil
	})
	return inner
}

// argumentsObject makes the object that the dialect wants of a call's
// arguments, on one line. No arguments are {}. What is no JSON object goes,
// whole, into the member raw_arguments, and ok is false.
func argumentsObject(arguments string) (object string, ok bool) {
	if strings.TrimSpace(arguments) == "" {
		return "{}", true
	}
	if jsonObject(arguments) {
		return jsonOneLine(strings.TrimSpace(arguments)), true
	}
	b := append([]byte(`{"raw_arguments":`), jsonscan.AppendString(nil, arguments)...)
	return string(append(b, '}')), false
}

package bedrock

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// toolConfig writes the tools and whether they must be called. A history with
// calls demands tools, though the turn may have none or forbid them.
func (e *turnEncoder) toolConfig() {
	forbidden := e.turn.GetToolChoice().GetMode() == conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE
	var list []string
	if !forbidden || e.talks {
		for _, tool := range e.turn.GetTools() {
			list = append(list, e.tool(tool)...)
		}
	}
	if len(list) == 0 && e.talks {
		for _, name := range e.called {
			list = append(list, e.tool(&conversationv1.Tool{Name: name})...)
		}
	}
	if len(list) == 0 {
		return
	}
	if forbidden {
		e.drop(dropped.ToolChoice) // The dialect cannot say it.
	}
	e.w.Key("toolConfig")
	e.w.Open('{')
	e.w.Key("tools")
	e.w.Raws(list)
	e.toolChoice()
	e.w.Extra(e.kept.toolConfig, nil)
	e.w.Close('}')
}

// tool is the entry of a tool, with a cache point behind it where the client
// wants one.
func (e *turnEncoder) tool(tool *conversationv1.Tool) []string {
	if tool.GetWireType() != "" {
		if e.ours() && jsonbody.IsObject(tool.GetExtraJson()) {
			return []string{tool.GetExtraJson()}
		}
		function := texttool.Function(tool)
		if function == nil {
			e.dropped.Below(dropped.AtTool, tool.GetWireType())
			return nil
		}
		tool = function
	}
	b := &jsonbody.Writer{}
	b.Open('{')
	b.Key("toolSpec")
	b.Open('{')
	b.StrField("name", tool.GetName())
	if tool.GetDescription() != "" {
		b.StrField("description", tool.GetDescription())
	}
	parameters := tool.GetParametersJson()
	if !jsonbody.IsObject(parameters) {
		if parameters != "" {
			e.drop(dropped.Parameters)
		}
		parameters = `{"type":"object","properties":{}}`
	}
	b.Key("inputSchema")
	b.Open('{')
	b.RawField("json", parameters)
	b.Close('}')
	if tool.Strict != nil {
		if e.ours() || e.quirk(quirkStructuredOutput) {
			b.TruthField("strict", tool.GetStrict())
		} else if tool.GetStrict() {
			e.drop(dropped.Strict)
		}
	}
	list := []string{""}
	if e.ours() {
		b.Extra(tool.GetExtraJson(), nil)
	} else {
		list = append(list, e.foreign(dropped.AtTool, tool.GetExtraJson())...)
	}
	b.Close('}')
	b.Close('}')
	list[0] = string(b.B)
	return list
}

// foreign is the cache point that another dialect's members ask for; the rest
// of them is dropped.
func (e *turnEncoder) foreign(place dropped.Place, object string) (points []string) {
	if object == "" {
		return nil
	}
	_ = jsonbody.Whole([]byte(object)).Members(func(name string, m *jsonbody.Value) error {
		if name != "cache_control" || !e.quirk(quirkClaude) && !e.quirk(quirkNova) {
			e.dropped.Below(place, name)
			return nil
		}
		ttl := ""
		_ = m.Members(func(name string, m *jsonbody.Value) error {
			if text, err := m.String(); err == nil && name == "ttl" && e.quirk(quirkClaude) {
				ttl = text
			}
			return nil
		})
		b := jsonbody.Writer{}
		b.Open('{')
		b.Key("cachePoint")
		b.Open('{')
		b.StrField("type", "default")
		if ttl == "1h" {
			b.StrField("ttl", ttl)
		}
		b.Close('}')
		b.Close('}')
		points = append(points, string(b.B))
		return nil
	})
	return points
}

func (e *turnEncoder) toolChoice() {
	choice := e.turn.GetToolChoice()
	switch choice.GetMode() {
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO:
		e.w.RawField("toolChoice", `{"auto":{}}`)
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED:
		e.w.RawField("toolChoice", `{"any":{}}`)
	case conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED:
		e.w.Key("toolChoice")
		e.w.Open('{')
		e.w.Key("tool")
		e.w.Open('{')
		e.w.StrField("name", choice.GetName())
		e.w.Close('}')
		e.w.Close('}')
	}
}

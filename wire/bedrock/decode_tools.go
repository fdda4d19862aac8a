package bedrock

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
)

// toolConfig decodes tools and whether they must be called. What no field holds
// stays in a member of the same name in extra_json.
func (d *turnDecoder) toolConfig(m *jsonbody.Value) error {
	var rest jsonbody.Extra
	err := m.Members(func(name string, m *jsonbody.Value) error {
		switch {
		case m.IsNull():
		case name == "tools":
			return m.Elements(func(_ int, e *jsonbody.Value) error { return d.tool(e) })
		case name == "toolChoice":
			return d.toolChoice(m)
		default:
			rest.Add(m)
		}
		return nil
	})
	d.rest.AddInner("toolConfig", &rest)
	return err
}

// tool decodes an entry of tools. A cache point or a tool of another kind is
// carried as it is.
func (d *turnDecoder) tool(e *jsonbody.Value) error {
	kind, content, err := union(e)
	if err != nil {
		return err
	}
	if kind != "toolSpec" {
		d.turn.Tools = append(d.turn.Tools, &conversationv1.Tool{Name: kind, WireType: kind, ExtraJson: e.JSON()})
		return nil
	}
	tool := &conversationv1.Tool{}
	var rest jsonbody.Extra
	err = content.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "name":
			tool.Name, err = m.String()
		case name == "description":
			tool.Description, err = m.String()
		case name == "strict" && (m.Kind == jsonscan.True || m.Kind == jsonscan.False):
			tool.Strict = proto.Bool(m.Kind == jsonscan.True)
		case name == "inputSchema":
			err = m.Members(func(name string, m *jsonbody.Value) error {
				if name == "json" && m.Kind == jsonscan.Object {
					tool.ParametersJson = m.JSON()
				}
				return nil
			})
		default:
			rest.Add(m)
		}
		return err
	})
	if err == nil && tool.Name == "" {
		err = jsonbody.Malformed(content.Path()+".name", "a tool needs a name")
	}
	tool.ExtraJson = rest.Object()
	d.turn.Tools = append(d.turn.Tools, tool)
	return err
}

func (d *turnDecoder) toolChoice(m *jsonbody.Value) error {
	kind, content, err := union(m)
	if err != nil {
		return err
	}
	choice := &conversationv1.ToolChoice{}
	switch kind {
	case "auto":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO
	case "any":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED
	case "tool":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED
		err = content.Members(func(name string, m *jsonbody.Value) (err error) {
			if name == "name" {
				choice.Name, err = m.String()
			}
			return err
		})
		if err == nil && choice.Name == "" {
			err = jsonbody.Malformed(content.Path()+".name", "a tool's name is required")
		}
	default:
		return jsonbody.Malformed(m.Path(), "must be auto, any or tool")
	}
	d.turn.ToolChoice = choice
	return err
}

// union is the one member of an object that holds one of several kinds.
func union(e *jsonbody.Value) (kind string, content *jsonbody.Value, err error) {
	count := 0
	err = e.Members(func(name string, m *jsonbody.Value) error {
		if !m.IsNull() {
			kind, content = name, m
			count++
		}
		return nil
	})
	if err == nil && count != 1 {
		err = jsonbody.Malformed(e.Path(), "must hold exactly one member")
	}
	return kind, content, err
}

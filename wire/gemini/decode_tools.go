package gemini

import (
	"slices"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// tool decodes an entry of tools: declared functions, and the server's own
// tools, each of which is carried as it is.
func (d *turnDecoder) tool(e *jsonbody.Value) error {
	return e.Members(func(name string, m *jsonbody.Value) error {
		switch {
		case m.IsNull():
		case camel(name) == "functionDeclarations":
			return m.Elements(func(_ int, e *jsonbody.Value) error { return d.declaration(e) })
		default:
			var whole jsonbody.Extra
			whole.Add(m)
			d.turn.Tools = append(d.turn.Tools, &conversationv1.Tool{Name: name, WireType: camel(name), ExtraJson: whole.Object()})
		}
		return nil
	})
}

func (d *turnDecoder) declaration(e *jsonbody.Value) error {
	tool := &conversationv1.Tool{}
	var rest jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch member := camel(name); {
		case m.IsNull():
		case member == "name":
			tool.Name, err = m.String()
		case member == "description" && m.Kind == jsonscan.String:
			tool.Description, err = m.String()
		case member == "parameters" && m.Kind == jsonscan.Object:
			tool.ParametersJson = schemaOf(m)
		case member == "parametersJsonSchema" && m.Kind == jsonscan.Object:
			tool.ParametersJson = m.JSON()
		default:
			rest.Add(m)
		}
		return err
	})
	if err == nil && tool.Name == "" {
		err = jsonbody.Malformed(e.Path()+".name", "a function needs a name")
	}
	tool.ExtraJson = rest.Object()
	d.turn.Tools = append(d.turn.Tools, tool)
	return err
}

// toolConfig decodes whether tools must be called. What a choice cannot say is
// also kept as it is.
func (d *turnDecoder) toolConfig(m *jsonbody.Value) error {
	choice, mode, plain := &conversationv1.ToolChoice{}, "", true
	var allowed []string
	err := m.Members(func(name string, m *jsonbody.Value) error {
		if m.IsNull() {
			return nil
		}
		if camel(name) != "functionCallingConfig" {
			plain = false
			return nil
		}
		return m.Members(func(name string, m *jsonbody.Value) (err error) {
			switch {
			case m.IsNull():
			case name == "mode":
				mode, err = m.String()
				mode = strings.ToUpper(mode)
			case camel(name) == "allowedFunctionNames":
				err = m.Elements(func(_ int, e *jsonbody.Value) error {
					name, err := e.String()
					allowed = append(allowed, name)
					return err
				})
			default:
				plain = false
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	switch mode {
	case "AUTO":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO
	case "NONE":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE
	case "ANY":
		choice.Mode = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED
		if len(allowed) == 1 {
			choice.Mode, choice.Name, allowed = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NAMED, allowed[0], nil
		}
	case "", "MODE_UNSPECIFIED":
		choice = nil
	default: // VALIDATED: free to call, held to the schemas.
		choice.Mode, plain = conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO, false
	}
	d.turn.ToolChoice = choice
	if !plain || len(allowed) > 0 {
		d.rest.AddJSON("toolConfig", m.JSON())
	}
	return nil
}

var nullableKeys = jsonscan.NewKeys("nullable")

// schemaOf makes a JSON schema of the API's own form of one: types in lower
// case, nullable as a second type, bounds as numbers.
func schemaOf(m *jsonbody.Value) string {
	w := &jsonbody.Writer{}
	writeSchema(w, m)
	return string(w.B)
}

func writeSchema(w *jsonbody.Writer, v *jsonbody.Value) {
	if v.Kind != jsonscan.Object {
		w.Raw(v.JSON())
		return
	}
	var room [1]jsonscan.Member
	at, err := jsonscan.ScanObject(v.Body(), v.Value, nullableKeys, room[:0])
	nullable := err == nil && at[0].Kind == jsonscan.True
	w.Open('{')
	_ = v.Members(func(name string, m *jsonbody.Value) error { // It has been scanned.
		switch {
		case name == "nullable":
		case name == "type" && m.Kind == jsonscan.String:
			kind, _ := m.String()
			w.Key(name)
			if kind = strings.ToLower(kind); nullable {
				w.Strings([]string{kind, "null"})
			} else {
				w.Str(kind)
			}
		case slices.Contains(schemaMaps, name) && m.Kind == jsonscan.Object:
			w.Key(name)
			w.Open('{')
			_ = m.Members(func(name string, m *jsonbody.Value) error {
				w.Key(name)
				writeSchema(w, m)
				return nil
			})
			w.Close('}')
		case slices.Contains(schemaLists, name) && m.Kind == jsonscan.Array:
			w.Key(name)
			w.Open('[')
			_ = m.Elements(func(_ int, e *jsonbody.Value) error {
				writeSchema(w, e)
				return nil
			})
			w.Close(']')
		case name == "items" || name == "additionalProperties":
			w.Key(name)
			writeSchema(w, m)
		case m.Kind == jsonscan.String && slices.Contains(schemaBounds, name):
			text, _ := m.String()
			if digits(text) {
				w.RawField(name, text)
			}
		default:
			w.RawField(name, m.JSON())
		}
		return nil
	})
	w.Close('}')
}

// Members of a schema by what they hold. Bounds come as strings where a client
// writes 64-bit numbers so.
var (
	schemaMaps   = []string{"properties", "$defs", "defs", "definitions"}
	schemaLists  = []string{"anyOf", "oneOf", "allOf", "prefixItems"}
	schemaBounds = []string{"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == "" && (text == "0" || text[0] != '0')
}

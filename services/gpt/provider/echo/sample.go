package echo

import (
	"bytes"
	"encoding/json"
	"strings"
)

// maxDepth bounds how deep a schema is followed.
const maxDepth = 16

// sample makes a value that fits a JSON schema, as far as its types, enums and
// required members tell; texts are what was said. Members stand in the order of
// the schema.
func sample(schema []byte, said string) string {
	var out strings.Builder
	write(&out, schema, said, 0)
	return out.String()
}

func write(out *strings.Builder, schema []byte, said string, depth int) {
	var s struct {
		Type       json.RawMessage
		Enum       []json.RawMessage
		Const      json.RawMessage
		Properties json.RawMessage
		Items      json.RawMessage
		MinItems   int
		Minimum    json.Number
		AnyOf      []json.RawMessage
	}
	if json.Unmarshal(schema, &s) != nil || depth > maxDepth {
		out.WriteString("null")
		return
	}
	switch {
	case len(s.Const) > 0:
		out.Write(s.Const)
		return
	case len(s.Enum) > 0:
		out.Write(s.Enum[0])
		return
	case len(s.AnyOf) > 0:
		write(out, s.AnyOf[0], said, depth+1)
		return
	}
	kind := ""
	if json.Unmarshal(s.Type, &kind) != nil {
		var kinds []string
		if json.Unmarshal(s.Type, &kinds) == nil && len(kinds) > 0 {
			kind = kinds[0]
		}
	}
	switch {
	case kind == "object" || kind == "" && len(s.Properties) > 0:
		writeObject(out, s.Properties, said, depth)
	case kind == "array":
		out.WriteByte('[')
		for i := range min(s.MinItems, 64) {
			if i > 0 {
				out.WriteString(", ")
			}
			write(out, s.Items, said, depth+1)
		}
		out.WriteByte(']')
	case kind == "integer" || kind == "number":
		if s.Minimum != "" {
			out.WriteString(string(s.Minimum))
			return
		}
		out.WriteByte('0')
	case kind == "boolean":
		out.WriteString("true")
	case kind == "null":
		out.WriteString("null")
	default:
		out.WriteString(quoted(said))
	}
}

func writeObject(out *strings.Builder, properties []byte, said string, depth int) {
	out.WriteByte('{')
	decoder := json.NewDecoder(bytes.NewReader(properties))
	if _, err := decoder.Token(); err == nil {
		for first := true; decoder.More(); first = false {
			name, _ := decoder.Token()
			var member json.RawMessage
			if decoder.Decode(&member) != nil {
				break
			}
			if !first {
				out.WriteString(", ")
			}
			text, _ := name.(string)
			out.WriteString(quoted(text) + ": ")
			write(out, member, said, depth+1)
		}
	}
	out.WriteByte('}')
}

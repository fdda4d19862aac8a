package texttool

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// Decode decodes such a tool, which is whole, with the function that stands for it where
// nobody knows such tools. Its members are those of custom. The grammar of its format, if
// it has one, is the format itself (responses) or a member of it (chat completions).
func Decode(whole, custom *jsonbody.Value) (*conversationv1.Tool, error) {
	tool := &conversationv1.Tool{WireType: WireType, ParametersJson: Parameters, ExtraJson: whole.JSON()}
	syntax, definition := "", ""
	grammar := func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "syntax":
			syntax, err = m.StringOrNull()
		case "definition":
			definition, err = m.StringOrNull()
		}
		return err
	}
	err := custom.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "name":
			tool.Name, err = m.String()
		case name == "description":
			tool.Description, err = m.StringOrNull()
		case name == "format" && m.Kind == jsonscan.Object:
			err = m.Members(func(name string, m *jsonbody.Value) error {
				if name == "grammar" && m.Kind == jsonscan.Object {
					return m.Members(grammar)
				}
				return grammar(name, m)
			})
		}
		return err
	})
	if err == nil && tool.GetName() == "" {
		err = jsonbody.Malformed(custom.Path()+".name", "is required")
	}
	tool.Description = Description(tool.GetDescription(), syntax, definition)
	return tool, err
}

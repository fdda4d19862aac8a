// Package texttool lets every provider call a tool that takes plain text, which
// OpenAI's dialects name "custom": elsewhere a function with one text, "input",
// stands for it.
package texttool

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// WireType is the type of such tools and of their calls.
const WireType = "custom"

// Parameters is the schema of the function that stands for such a tool.
const Parameters = `{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}`

const (
	// Opening begins the arguments of a call, up to its text.
	Opening = `{"input":"`
	// Closing ends them.
	Closing = `"}`
)

// Function is the function that stands for a tool of a type that the provider
// does not know, or nil where nothing does.
func Function(tool *conversationv1.Tool) *conversationv1.Tool {
	if tool.GetWireType() != WireType || tool.GetParametersJson() == "" {
		return nil
	}
	return &conversationv1.Tool{Name: tool.GetName(), Description: tool.GetDescription(), ParametersJson: tool.GetParametersJson()}
}

// Description tells a model what OpenAI's models know of the tool's format: the
// syntax and the definition of its grammar.
func Description(description, syntax, definition string) string {
	if definition == "" {
		return description
	}
	if syntax != "" {
		syntax += " "
	}
	said := "The input must match this " + syntax + "grammar:\n" + definition
	if description == "" {
		return said
	}
	return description + "\n\n" + said
}

// Wrap makes the arguments of the function of a call's text.
func Wrap(text string) string { return Opening + Escape(text) + Closing }

// Escape is text as it stands between the quotes of the arguments.
func Escape(text string) string {
	quoted := jsonscan.AppendString(nil, text)
	return string(quoted[1 : len(quoted)-1])
}

// Unwrap is the text of a call's arguments.
func Unwrap(arguments string) string {
	var r Reader
	begun := r.Add(arguments)
	rest := r.End()
	return begun + rest
}

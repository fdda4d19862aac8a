package ollama

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// maxDropped bounds how many members are named.
const maxDropped = 64

// droppedList names what could not be carried, each once, in the words of the
// client's dialect.
type droppedList struct {
	names  []string
	client conversationv1.Wire
}

func (d *droppedList) add(name string) {
	if d.client == conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES && anthropicNames[name] != "" {
		name = anthropicNames[name]
	}
	if len(d.names) < maxDropped && !slices.Contains(d.names, name) {
		d.names = append(d.names, name)
	}
}

// extra adds the members of a JSON object.
func (d *droppedList) extra(object string) {
	if object == "" {
		return
	}
	_ = whole([]byte(object)).members(func(name string, _ *value) error {
		d.add(name)
		return nil
	})
}

// anthropicNames are Anthropic's words where they are not OpenAI's.
var anthropicNames = map[string]string{
	"user":                "metadata.user_id",
	"budget_tokens":       "thinking.budget_tokens",
	"reasoning_effort":    "output_config.effort",
	"response_format":     "output_config.format",
	"parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
	"image_url":           "messages[].content[].source.url",
	"file":                "messages[].content[].document",
	"signature":           "messages[].content[].signature",
	"is_error":            "messages[].content[].is_error",
}

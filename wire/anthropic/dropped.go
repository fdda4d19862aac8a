package anthropic

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
	switch d.client {
	case own:
		name = spelled(ownNames, name)
	case conversationv1.Wire_WIRE_OLLAMA_CHAT, conversationv1.Wire_WIRE_OLLAMA_GENERATE:
		name = spelled(ollamaNames, name)
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

func spelled(names map[string]string, name string) string {
	if own := names[name]; own != "" {
		return own
	}
	return name
}

// Where a dialect's words are not OpenAI's.
var (
	ownNames = map[string]string{
		"reasoning_effort": "thinking", "budget_tokens": "thinking.budget_tokens", "response_format": "output_config.format",
	}
	ollamaNames = map[string]string{
		"reasoning_effort": "think", "response_format": "format", "temperature": "options.temperature", "top_p": "options.top_p",
		"top_k": "options.top_k", "min_p": "options.min_p", "seed": "options.seed", "presence_penalty": "options.presence_penalty",
		"frequency_penalty": "options.frequency_penalty", "repeat_penalty": "options.repeat_penalty",
		"reasoning_content": "messages[].thinking", "image_url": "messages[].images",
	}
)

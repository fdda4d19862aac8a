package openai

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// maxDropped bounds how many members are named.
const maxDropped = 64

// droppedList names what could not be carried, each once.
type droppedList []string

func (d *droppedList) add(name string) {
	if len(*d) < maxDropped && !slices.Contains(*d, name) {
		*d = append(*d, name)
	}
}

// spellings are how the dialects name what this one cannot carry. The first
// column is the typed turn's own name.
var spellings = map[string]map[conversationv1.Wire]string{
	"sampling.top_k":          {ollamaChat: "options.top_k", ollamaGenerate: "options.top_k", anthropic: "top_k", own: "top_k", completionsWire: "top_k"},
	"sampling.min_p":          {ollamaChat: "options.min_p", ollamaGenerate: "options.min_p", own: "min_p", completionsWire: "min_p"},
	"sampling.repeat_penalty": {ollamaChat: "options.repeat_penalty", ollamaGenerate: "options.repeat_penalty", own: "repeat_penalty", completionsWire: "repeat_penalty"},
	"suffix":                  {},
	"raw_prompt":              {ollamaGenerate: "raw"},
	"messages[].parts[].image": {
		ollamaChat: "messages[].images", ollamaGenerate: "images", anthropic: "messages[].content[].image", own: "messages[].content[].image_url",
	},
	"response_format":         {ollamaChat: "format", ollamaGenerate: "format", anthropic: "output_config.format"},
	"reasoning.enabled":       {ollamaChat: "think", ollamaGenerate: "think", anthropic: "thinking"},
	"reasoning.budget_tokens": {anthropic: "thinking.budget_tokens"},
	"messages[].parts[].reasoning": {
		ollamaChat: "messages[].thinking", anthropic: "messages[].content[].thinking", own: "messages[].reasoning_content",
	},
	"messages[].parts[].tool_result.is_error": {anthropic: "messages[].content[].is_error"},
	"messages[].parts[].file.url":             {anthropic: "messages[].content[].source.url", own: "messages[].content[].file.file_data"},
}

const (
	ollamaChat     = conversationv1.Wire_WIRE_OLLAMA_CHAT
	ollamaGenerate = conversationv1.Wire_WIRE_OLLAMA_GENERATE
	anthropic      = conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES
)

// spelled is how the client's dialect names a field.
func spelled(field string, client conversationv1.Wire) string {
	if name := spellings[field][client]; name != "" {
		return name
	}
	return field
}

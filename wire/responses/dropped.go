package responses

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

const (
	openaiChat     = conversationv1.Wire_WIRE_OPENAI_CHAT
	ollamaChat     = conversationv1.Wire_WIRE_OLLAMA_CHAT
	ollamaGenerate = conversationv1.Wire_WIRE_OLLAMA_GENERATE
	anthropic      = conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES
)

// spellings are how the dialects name what this one cannot carry. The first
// column is the typed turn's own name.
var spellings = map[string]map[conversationv1.Wire]string{
	"sampling.top_k":             {ollamaChat: "options.top_k", ollamaGenerate: "options.top_k", anthropic: "top_k", openaiChat: "top_k"},
	"sampling.min_p":             {ollamaChat: "options.min_p", ollamaGenerate: "options.min_p", openaiChat: "min_p"},
	"sampling.repeat_penalty":    {ollamaChat: "options.repeat_penalty", ollamaGenerate: "options.repeat_penalty", openaiChat: "repeat_penalty"},
	"sampling.presence_penalty":  {ollamaChat: "options.presence_penalty", ollamaGenerate: "options.presence_penalty", openaiChat: "presence_penalty"},
	"sampling.frequency_penalty": {ollamaChat: "options.frequency_penalty", ollamaGenerate: "options.frequency_penalty", openaiChat: "frequency_penalty"},
	"sampling.seed":              {ollamaChat: "options.seed", ollamaGenerate: "options.seed", openaiChat: "seed"},
	"sampling.stop":              {ollamaChat: "options.stop", ollamaGenerate: "options.stop", openaiChat: "stop", anthropic: "stop_sequences"},
	"sampling.choice_count":      {openaiChat: "n"},
	"sampling.logit_bias":        {openaiChat: "logit_bias"},
	"raw_prompt":                 {ollamaGenerate: "raw"},
	"reasoning.enabled":          {ollamaChat: "think", ollamaGenerate: "think", anthropic: "thinking"},
	"reasoning.budget_tokens":    {anthropic: "thinking.budget_tokens"},
	"messages[].name":            {openaiChat: "messages[].name"},
	"messages[].parts[].reasoning": {
		ollamaChat: "messages[].thinking", anthropic: "messages[].content[].thinking", openaiChat: "messages[].reasoning_content",
		own: "input[].encrypted_content",
	},
	"messages[].parts[].audio":                {openaiChat: "messages[].audio"},
	"messages[].parts[].tool_result.is_error": {anthropic: "messages[].content[].is_error"},
}

// spelled is how the client's dialect names a field.
func spelled(field string, client conversationv1.Wire) string {
	if name := spellings[field][client]; name != "" {
		return name
	}
	return field
}

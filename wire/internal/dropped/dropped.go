// Package dropped names the members of a turn that a provider's dialect cannot
// carry, in the words of the dialect that the client spoke.
package dropped

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// maxNames bounds how many members are named.
const maxNames = 64

// List gathers names, each once, in the order in which they were added.
type List struct {
	// Client is the dialect that the client spoke.
	Client conversationv1.Wire
	// Names are the names so far.
	Names []string
}

// Add adds a member by OpenAI's name of it.
func (l *List) Add(name string) {
	if spelled := words[l.Client][name]; spelled != "" {
		name = spelled
	}
	if len(l.Names) < maxNames && !slices.Contains(l.Names, name) {
		l.Names = append(l.Names, name)
	}
}

// Extra adds the members of a JSON object. What is no object has none.
func (l *List) Extra(object string) {
	if object == "" {
		return
	}
	_ = jsonbody.Whole([]byte(object)).Members(func(name string, _ *jsonbody.Value) error {
		l.Add(name)
		return nil
	})
}

// words are those of each dialect where they are not OpenAI's.
var words = map[conversationv1.Wire]map[string]string{
	conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES: {
		"reasoning_effort": "thinking", "budget_tokens": "thinking.budget_tokens", "response_format": "output_config.format",
		"reasoning_content": "messages[].content[].thinking", "stop": "stop_sequences", "user": "metadata.user_id",
		"parallel_tool_calls": "tool_choice.disable_parallel_tool_use", "filename": "messages[].content[].title",
		"image_url": "messages[].content[].source", "file": "messages[].content[].source",
	},
	conversationv1.Wire_WIRE_OLLAMA_CHAT:     ollama,
	conversationv1.Wire_WIRE_OLLAMA_GENERATE: ollama,
	conversationv1.Wire_WIRE_GEMINI_GENERATE: {
		"reasoning_effort": "generationConfig.thinkingConfig", "budget_tokens": "generationConfig.thinkingConfig.thinkingBudget",
		"response_format": "generationConfig.responseMimeType", "temperature": "generationConfig.temperature", "top_p": "generationConfig.topP",
		"top_k": "generationConfig.topK", "seed": "generationConfig.seed", "presence_penalty": "generationConfig.presencePenalty",
		"frequency_penalty": "generationConfig.frequencyPenalty", "n": "generationConfig.candidateCount",
		"logprobs": "generationConfig.responseLogprobs", "top_logprobs": "generationConfig.logprobs", "stop": "generationConfig.stopSequences",
		"reasoning_content": "contents[].parts[].thought", "image_url": "contents[].parts[].fileData", "file": "contents[].parts[].fileData",
		"input_audio": "contents[].parts[].inlineData", "tool_choice": "toolConfig",
	},
	conversationv1.Wire_WIRE_BEDROCK_CONVERSE: {
		"reasoning_effort": "additionalModelRequestFields", "response_format": "outputConfig", "temperature": "inferenceConfig.temperature",
		"top_p": "inferenceConfig.topP", "stop": "inferenceConfig.stopSequences", "reasoning_content": "messages[].content[].reasoningContent",
		"image_url": "messages[].content[].image", "file": "messages[].content[].document", "tool_choice": "toolConfig.toolChoice",
	},
}

var ollama = map[string]string{
	"reasoning_effort": "think", "response_format": "format", "temperature": "options.temperature", "top_p": "options.top_p",
	"top_k": "options.top_k", "min_p": "options.min_p", "seed": "options.seed", "presence_penalty": "options.presence_penalty",
	"frequency_penalty": "options.frequency_penalty", "repeat_penalty": "options.repeat_penalty", "stop": "options.stop",
	"reasoning_content": "messages[].thinking", "image_url": "messages[].images",
}

package dropped

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// Field is a field of the typed turn, by the way to it.
type Field string

// The fields that some dialect cannot carry.
const (
	Messages          Field = "messages"
	Name              Field = "messages[].name"
	Image             Field = "messages[].parts[].image"
	ImageDetail       Field = "messages[].parts[].image.detail"
	File              Field = "messages[].parts[].file"
	FileURL           Field = "messages[].parts[].file.url"
	FileName          Field = "messages[].parts[].file.name"
	Audio             Field = "messages[].parts[].audio"
	Reasoning         Field = "messages[].parts[].reasoning"
	Signature         Field = "messages[].parts[].reasoning.signature"
	Redacted          Field = "messages[].parts[].reasoning.redacted"
	Arguments         Field = "messages[].parts[].tool_call.arguments_json"
	IsError           Field = "messages[].parts[].tool_result.is_error"
	Tools             Field = "tools"
	Parameters        Field = "tools[].parameters_json"
	Strict            Field = "tools[].strict"
	ToolChoice        Field = "tool_choice"
	ParallelToolCalls Field = "parallel_tool_calls"
	Temperature       Field = "sampling.temperature"
	TopP              Field = "sampling.top_p"
	TopK              Field = "sampling.top_k"
	MinP              Field = "sampling.min_p"
	PresencePenalty   Field = "sampling.presence_penalty"
	FrequencyPenalty  Field = "sampling.frequency_penalty"
	RepeatPenalty     Field = "sampling.repeat_penalty"
	Seed              Field = "sampling.seed"
	Stop              Field = "sampling.stop"
	ChoiceCount       Field = "sampling.choice_count"
	Logprobs          Field = "sampling.logprobs"
	TopLogprobs       Field = "sampling.top_logprobs"
	LogitBias         Field = "sampling.logit_bias"
	ResponseFormat    Field = "response_format"
	Effort            Field = "reasoning.effort"
	Thinking          Field = "reasoning.enabled"
	Budget            Field = "reasoning.budget_tokens"
	Suffix            Field = "suffix"
	RawPrompt         Field = "raw_prompt"
	User              Field = "user"
	Truncate          Field = "truncate"
)

// Place is where members stand that no field holds.
type Place int

// The places.
const (
	AtTurn Place = iota
	AtMessage
	AtPart
	AtCall
	AtTool
)

// spelling is how each dialect names one thing; "" where it has no name.
type spelling struct{ chat, completions, responses, anthropic, ollama, generate, gemini, bedrock string }

func (s spelling) of(client conversationv1.Wire) string {
	switch client {
	case conversationv1.Wire_WIRE_OPENAI_CHAT:
		return s.chat
	case conversationv1.Wire_WIRE_OPENAI_COMPLETIONS:
		return s.completions
	case conversationv1.Wire_WIRE_OPENAI_RESPONSES:
		return s.responses
	case conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES:
		return s.anthropic
	case conversationv1.Wire_WIRE_OLLAMA_CHAT:
		return s.ollama
	case conversationv1.Wire_WIRE_OLLAMA_GENERATE:
		return s.generate
	case conversationv1.Wire_WIRE_GEMINI_GENERATE:
		return s.gemini
	case conversationv1.Wire_WIRE_BEDROCK_CONVERSE:
		return s.bedrock
	}
	return ""
}

// option is a member of the sampling that every dialect calls alike, but for
// where it stands.
func option(name, camel string) spelling {
	return spelling{chat: name, completions: name, responses: name, anthropic: name, ollama: "options." + name, generate: "options." + name,
		gemini: "generationConfig." + camel, bedrock: "inferenceConfig." + camel}
}

var spellings = map[Field]spelling{
	Messages: {chat: "messages", completions: "prompt", responses: "input", anthropic: "messages", ollama: "messages", generate: "prompt",
		gemini: "contents", bedrock: "messages"},
	Name: {chat: "messages[].name", responses: "input[].name"},
	Image: {chat: "messages[].content[].image_url", responses: "input[].content[].image_url", anthropic: "messages[].content[].source",
		ollama: "messages[].images", generate: "images", gemini: "contents[].parts[].fileData", bedrock: "messages[].content[].image"},
	ImageDetail: {chat: "messages[].content[].image_url.detail", responses: "input[].content[].detail"},
	File: {chat: "messages[].content[].file", responses: "input[].content[].file", anthropic: "messages[].content[].source",
		gemini: "contents[].parts[].fileData", bedrock: "messages[].content[].document"},
	FileURL: {chat: "messages[].content[].file.file_data", responses: "input[].content[].file_url", anthropic: "messages[].content[].source.url",
		gemini: "contents[].parts[].fileData.fileUri", bedrock: "messages[].content[].document.source"},
	FileName: {chat: "messages[].content[].file.filename", responses: "input[].content[].filename", anthropic: "messages[].content[].title",
		gemini: "contents[].parts[].fileData.displayName", bedrock: "messages[].content[].document.name"},
	Audio: {chat: "messages[].content[].input_audio", responses: "input[].content[].input_audio", gemini: "contents[].parts[].inlineData"},
	Reasoning: {chat: "messages[].reasoning_content", responses: "input[].encrypted_content", anthropic: "messages[].content[].thinking",
		ollama: "messages[].thinking", gemini: "contents[].parts[].thought", bedrock: "messages[].content[].reasoningContent"},
	Signature: {chat: "messages[].reasoning_content", responses: "input[].encrypted_content", anthropic: "messages[].content[].signature",
		gemini: "contents[].parts[].thoughtSignature", bedrock: "messages[].content[].reasoningContent.reasoningText.signature"},
	Redacted: {chat: "messages[].reasoning_content", responses: "input[].encrypted_content", anthropic: "messages[].content[].data",
		bedrock: "messages[].content[].reasoningContent.redactedContent"},
	Arguments: {chat: "messages[].tool_calls[].function.arguments", responses: "input[].arguments", anthropic: "messages[].content[].input",
		ollama: "messages[].tool_calls[].function.arguments", gemini: "contents[].parts[].functionCall.args", bedrock: "messages[].content[].toolUse.input"},
	IsError: {anthropic: "messages[].content[].is_error", bedrock: "messages[].content[].toolResult.status"},
	Tools:   {chat: "tools", responses: "tools", anthropic: "tools", ollama: "tools", gemini: "tools", bedrock: "toolConfig.tools"},
	Parameters: {chat: "tools[].function.parameters", responses: "tools[].parameters", anthropic: "tools[].input_schema",
		ollama: "tools[].function.parameters", gemini: "tools[].functionDeclarations[].parametersJsonSchema", bedrock: "toolConfig.tools[].toolSpec.inputSchema"},
	Strict:            {chat: "tools[].function.strict", responses: "tools[].strict", anthropic: "tools[].strict", bedrock: "toolConfig.tools[].toolSpec.strict"},
	ToolChoice:        {chat: "tool_choice", responses: "tool_choice", anthropic: "tool_choice", gemini: "toolConfig", bedrock: "toolConfig.toolChoice"},
	ParallelToolCalls: {chat: "parallel_tool_calls", responses: "parallel_tool_calls", anthropic: "tool_choice.disable_parallel_tool_use"},
	Temperature:       option("temperature", "temperature"),
	TopP:              option("top_p", "topP"),
	TopK:              option("top_k", "topK"),
	MinP:              option("min_p", "minP"),
	PresencePenalty:   option("presence_penalty", "presencePenalty"),
	FrequencyPenalty:  option("frequency_penalty", "frequencyPenalty"),
	RepeatPenalty:     option("repeat_penalty", "repeatPenalty"),
	Seed:              option("seed", "seed"),
	Stop: {chat: "stop", completions: "stop", responses: "stop", anthropic: "stop_sequences", ollama: "options.stop", generate: "options.stop",
		gemini: "generationConfig.stopSequences", bedrock: "inferenceConfig.stopSequences"},
	ChoiceCount: {chat: "n", completions: "n", responses: "n", gemini: "generationConfig.candidateCount"},
	Logprobs: {chat: "logprobs", completions: "logprobs", responses: "include", ollama: "logprobs", generate: "logprobs",
		gemini: "generationConfig.responseLogprobs"},
	TopLogprobs: {chat: "top_logprobs", completions: "logprobs", responses: "top_logprobs", ollama: "top_logprobs", generate: "top_logprobs",
		gemini: "generationConfig.logprobs"},
	LogitBias: {chat: "logit_bias", completions: "logit_bias"},
	ResponseFormat: {chat: "response_format", responses: "text.format", anthropic: "output_config.format", ollama: "format", generate: "format",
		gemini: "generationConfig.responseMimeType", bedrock: "outputConfig"},
	Effort: {chat: "reasoning_effort", responses: "reasoning.effort", anthropic: "output_config.effort", ollama: "think", generate: "think",
		gemini: "generationConfig.thinkingConfig", bedrock: "additionalModelRequestFields"},
	Thinking: {chat: "reasoning_effort", responses: "reasoning", anthropic: "thinking", ollama: "think", generate: "think",
		gemini: "generationConfig.thinkingConfig", bedrock: "additionalModelRequestFields"},
	Budget:    {anthropic: "thinking.budget_tokens", gemini: "generationConfig.thinkingConfig.thinkingBudget", bedrock: "additionalModelRequestFields"},
	Suffix:    {completions: "suffix", generate: "suffix"},
	RawPrompt: {generate: "raw"},
	User:      {chat: "user", completions: "user", responses: "user", anthropic: "metadata.user_id"},
	Truncate:  {ollama: "truncate", generate: "truncate"},
}

var places = map[Place]spelling{
	AtMessage: {chat: "messages[]", responses: "input[]", anthropic: "messages[]", ollama: "messages[]", gemini: "contents[]", bedrock: "messages[]"},
	AtPart: {chat: "messages[].content[]", responses: "input[].content[]", anthropic: "messages[].content[]", ollama: "messages[]",
		gemini: "contents[].parts[]", bedrock: "messages[].content[]"},
	AtCall: {chat: "messages[].tool_calls[]", responses: "input[]", anthropic: "messages[].content[]", ollama: "messages[].tool_calls[]",
		gemini: "contents[].parts[].functionCall", bedrock: "messages[].content[].toolUse"},
	AtTool: {chat: "tools[]", responses: "tools[]", anthropic: "tools[]", ollama: "tools[]", gemini: "tools[]", bedrock: "toolConfig.tools[]"},
}

// Package openai translates OpenAI's dialect: turns and answers of
// /v1/chat/completions ([Chat]) and legacy /v1/completions ([Completions]),
// embeddings, the list of models, and errors.
// Most other providers speak it too, each with deviations of its own; the
// decoders here take what those send.
//
// # What is kept
//
// Top-level members, members of messages, parts, tools and tool calls that no
// typed field holds go to extra_json as they are, "function" members nested
// below that name, and come back when the turn is encoded for this dialect
// again. Schemas and arguments are never re-encoded. Sampling members that
// OpenAI itself has not (top_k, min_p, repeat_penalty) are read into the typed
// turn, and sent to a provider where the client wrote them in this dialect.
//
// Legacy functions and function_call are read as tools and tool calls. Calls
// without an id get one that follows from their place and content, so the same
// history always decodes to the same ids. Encoders never write the legacy form.
//
// # Reasoning
//
// Answers carry it as reasoning_content. Signatures and encrypted blocks go into
// reasoning_details beside it, in OpenRouter's form, only where there are any.
// Histories may bring it back as reasoning_content, reasoning,
// reasoning_details or thinking_blocks. It is sent to a provider where the
// client wrote it in this dialect, or with the quirk "reasoning_history".
//
// # Legacy completions
//
// A prompt is one user message of a turn: a raw prompt without a suffix, a gap to
// fill with one. A provider that has only chat completions gets it as a user
// message; suffix is then named as dropped. Token ids are refused, and so is
// best_of above 1. echo is for whoever encodes the answer ([TakeEcho]), several
// prompts are several turns ([SplitPrompts]). The other way round, the last user
// message is the prompt, and what stands before it is named as dropped. Mistral's
// /v1/fim/completions is asked in this dialect and answers in that of chat
// completions ([FIM]).
//
// # Tokens
//
// max_tokens and max_completion_tokens are one field; where a body has both,
// max_completion_tokens counts. Encoding chooses by the model's name: OpenAI's
// own (gpt-…, o1 to o9, chatgpt-…, codex-…, but not gpt-oss) get
// max_completion_tokens, which the newer ones demand, all others max_tokens,
// which is all that most servers know. A raw body keeps the client's choice.
//
// # Quirks
//
//	max_tokens             always send max_tokens, raw bodies included
//	max_completion_tokens  always send max_completion_tokens, raw bodies included
//	no_stream_options      never send stream_options
//	no_developer_role      send the role developer as system
//	extended_sampling      send top_k, min_p and repeat_penalty of other dialects
//	repetition_penalty     as extended_sampling, with that name for repeat_penalty
//	string_content         send content of text parts alone as one string
//	reasoning_history      send reasoning of the history as reasoning_content
//
// no_developer_role and string_content reach into messages: a raw body that
// they concern is decoded and encoded again.
package openai

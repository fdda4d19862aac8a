// Package gemini translates the dialect of Google's Gemini API: turns and
// answers of models.generateContent and models.streamGenerateContent with
// alt=sse ([Generate]), its embeddings, and its errors ([Error]).
//
// Source of the shapes: https://ai.google.dev/api/generate-content and
// https://ai.google.dev/gemini-api/docs/thought-signatures, as of 2026-11.
//
// # What the address holds
//
// Which model is asked and whether the answer is streamed stand in the address
// (models/{model}:streamGenerateContent) and not in the body. ScanTurn and
// DecodeTurn take the model where a body names it and else leave it to the face;
// EncodeTurn writes it only into a raw body that has it already.
//
// # From the client's body
//
// Members may be spelled in camelCase or snake_case, as the API takes both.
// Function responses become a tool message of their own before the rest of the
// user's. Calls without an id get one that is made of their place, name and
// arguments, and responses are joined with them by id, else by name and order.
// Schemas in the API's own form (parameters, responseSchema) become JSON
// schemas. Members that no field holds (safetySettings, cachedContent …) go to
// extra_json in their order; parts and tools of other kinds are carried opaque.
//
// # To a provider
//
// System messages are lifted, wherever they stand, to systemInstruction. Messages
// of one role in a row are merged; results of tools make one content, in the
// order of their calls, as the API demands. Schemas are sent as JSON schemas
// (parametersJsonSchema, responseJsonSchema).
//
// A part's thoughtSignature is a block of reasoning in front of the part, and
// goes back to the part behind the block. Thoughts without a signature, such as
// other providers', are not sent.
//
// Reasoning becomes thinkingConfig with a budget: what the turn gives, or 1024,
// 8192 or 24576 tokens for the efforts low, medium and high.
//
// # Quirks
//
//   - "thinking_level": effort goes to thinkingLevel, which takes the place of
//     budgets since Gemini 3; such models cannot be kept from thinking.
//   - "thinking_always": the model cannot be kept from thinking; the budget is
//     128 tokens instead of none.
//   - "no_thinking": the model cannot think; reasoning is dropped.
//   - "signed_calls": the API refuses a tool call of the history whose signature
//     is missing; a client that cannot carry signatures is excused with the text
//     that Google names for it.
//   - "multimodal_results": pictures of a tool's result stand in the response
//     and not behind it.
//   - "no_penalties", "no_logprobs": the model takes none; they are dropped.
//
// # Answers
//
// Each candidate is a choice. Parts of other kinds (executableCode, inlineData)
// have no event and are passed over by the decoder; the raw half keeps them. An
// answer is whole where every candidate that was seen has a finishReason. A
// blocked prompt is a failure, CONTENT_FILTERED, and so is, as PROVIDER_ERROR, an
// answer that the model spoiled (MALFORMED_FUNCTION_CALL and its like).
package gemini

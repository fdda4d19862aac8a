// Package bedrock translates the dialect of Amazon Bedrock's Converse API: turns
// and answers of Converse and ConverseStream ([Converse]), and its errors
// ([Error]).
//
// Source of the shapes:
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
// and API_runtime_ConverseStream.html, as of 2026-11.
//
// # Events as lines
//
// ConverseStream answers with binary messages (application/vnd.amazon.eventstream)
// whose headers name the event and whose payload is its JSON. In the mesh each
// event is one line of JSON instead, in the form that Amazon's own
// documentation and SDKs give it: {"contentBlockDelta":{…}}. [AppendLine] makes
// lines of messages as they come from a provider, and [AppendFrames] makes the
// same messages, byte for byte, of lines for a client.
//
// # What the address holds
//
// Which model is asked and whether the answer is streamed stand in the address
// (/model/{modelId}/converse-stream) and not in the body: a body that is decoded
// has neither, and EncodeTurn writes neither.
//
// # From the client's body
//
// Tool results, which stand in user messages, become a tool message of their
// own before the rest of the user's. Members that no field holds (guardrailConfig,
// requestMetadata, additionalModelRequestFields …) go to extra_json in their
// order; blocks of other kinds (cachePoint, video) are carried opaque.
//
// # To a provider
//
// System messages are lifted, wherever they stand, to the member system.
// Messages of one role in a row are merged, and tool results put first in
// theirs. Empty texts are left out. Ids of tool calls are held to the letters
// and the length that the API takes, names of documents to its letters. Where a
// history has tool calls but the turn no tools, the tools that were called are
// declared, since the API demands it. Pictures and documents are sent inline or
// from S3; the API fetches none from other addresses.
//
// # Quirks
//
// Converse is one API for models of many makers; what differs is told by quirks:
//
//   - "claude": reasoning becomes thinking with a budget, and top_k is sent, in
//     additionalModelRequestFields; cache_control becomes a cache point.
//   - "adaptive_thinking": of Claude: thinking is of type adaptive.
//   - "temperature_or_top_p": top_p is dropped where both are given.
//   - "nova": top_k is sent as Nova wants it; cache_control becomes a cache point.
//   - "nova_reasoning": effort becomes Nova's reasoningConfig.
//   - "reasoning_effort": effort is sent under that name.
//   - "structured_output": a JSON schema goes to outputConfig, and strict tools
//     are asked for; without it both are dropped.
//
// # Answers
//
// An answer has one choice: encoders show choice 0. An answer is whole at
// messageStop; the event metadata behind it brings the usage. An answer that the
// model spoiled (malformed_model_output, malformed_tool_use) is a failure,
// PROVIDER_ERROR. The usage of the dialect counts cached tokens apart from
// inputTokens; the canonical usage counts them in.
package bedrock

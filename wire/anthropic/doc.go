// Package anthropic translates the dialect of Anthropic's Messages API: turns
// and answers of /v1/messages ([Messages]), and its errors ([Error]).
//
// # From the client's body
//
// Tool results, which stand in user messages, become a tool message of their
// own before the rest of the user's. Members that no field holds (cache_control,
// citations, service_tier, context_management, mcp_servers …) go to extra_json
// in their order; blocks and server tools of other types are carried opaque.
//
// # To a provider
//
// System messages are lifted, wherever they stand, to the member system.
// Messages of one role in a row are merged, and tool results put first in
// theirs, as the API demands. Empty texts are left out. Ids of tool calls are
// held to the letters that the API takes.
//
// A JSON schema goes to output_config.format; it is dropped visibly for a
// provider with the quirk "no_output_config". A forced tool is never made of it.
// A demand for any JSON object has no counterpart and is dropped visibly.
//
// Reasoning becomes thinking with a budget: what the turn gives, or 1024, 2048,
// 8192, 16384 or 32768 tokens for the efforts minimal, low, medium, high and
// above; never more than the limit of tokens leaves. While the model thinks, the
// API takes no temperature, no top_k and only a narrow top_p: they are dropped
// visibly. Where the API would refuse to think (a forced tool, a history of tool
// calls without the thoughts that led to them, a limit too small) thinking is
// dropped instead. Thoughts without a signature, such as other providers', are
// not sent.
//
// # Quirks
//
//   - "no_output_config": see above.
//   - "adaptive_thinking": effort goes to output_config.effort and thinking is
//     of type adaptive, for models that choose the budget themselves.
//   - "temperature_or_top_p": top_p is dropped where both are given.
//   - "no_sampling": temperature, top_p and top_k are dropped.
//
// # Answers
//
// An answer has one choice: encoders show choice 0. Blocks that servers' own
// tools leave in an answer have no event and are passed over by the decoder; the
// raw half keeps them. The usage of the dialect counts cached tokens apart from
// input_tokens; the canonical usage counts them in.
package anthropic

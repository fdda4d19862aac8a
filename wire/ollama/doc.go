// Package ollama translates the dialect of Ollama's own API: turns and answers
// of /api/chat and /api/generate ([Chat], [Generate]), the lists and cards of
// models (/api/tags, /api/show, /api/ps, /api/version), embeddings, and errors.
//
// # What the dialect cannot say
//
// An answer has one choice: encoders show choice 0 and pass over the others.
// Signatures and encrypted blocks of reasoning are not shown. Tool calls go out
// whole, never in pieces, in a line of their own before the last one.
//
// A turn's picture must be inline; addresses are dropped visibly. A tool cannot
// be demanded: a tool_choice other than auto and none is dropped visibly, and
// with none the tools are left out. [Generate] takes one user message and the
// system's; a turn with a history is refused, so callers choose [Chat] for it.
//
// # Identity of tool calls
//
// Ollama's history may name results by tool name or by order alone. Decoding
// joins them: a call without an id gets one, "call_" and a hash of its place,
// name and arguments, so the same history always decodes to the same ids.
//
// # Quirks
//
// Codecs know one quirk of providers: "think_bool" sends "think" as true or
// false only, for servers that refuse levels.
//
// # Members in another case
//
// Ollama reads member names without regard to case. A known member that a
// client spells in another case is refused, since it could override the one
// that the mesh wrote.
package ollama

// Package ollama is the face that Ollama's clients see: /api/chat, /api/generate,
// /api/tags, /api/show, /api/ps, /api/version, /api/embed and /api/embeddings,
// over the models of every provider.
//
// Bodies are taken with any content type. Streaming is the default; a stream is
// lines of JSON (application/x-ndjson). A model may be asked for with or without
// ":latest" and in any case; the answer repeats the name as asked. An error is
// {"error":"text"}: before the first line with its status, after it as a line.
// While a client waits long for the first line, headers go out: the format
// knows no heartbeat, and a blank line breaks clients.
//
// A request that asks nothing (no messages, no prompt) loads or unloads a model:
// it is answered at once where the model is known; providers load by themselves.
//
// Pull, push, create, copy, delete and blobs are passed on to an Ollama server
// among the providers: the one that has the model, or that the name begins with
// ("box/llama3"), or the only one there is. Without one they are 501. A model that
// another provider serves is there already: to pull it succeeds at once. Blobs
// may be of any length: they go through in pieces, and only silence of a side
// (gateway.edge.body_timeout, gpt.timeouts.total) ends them.
//
// The x-gptmesh-* headers of package gateway/openai are taken and given here
// too. X-Gptmesh-Version on /api/version is the mesh's own version; the body
// holds the version of Ollama that is imitated.
package ollama

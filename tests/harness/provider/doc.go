// Package provider is a model provider that says what a test wrote down.
//
// A Provider listens on three addresses, one for each wire that the mesh speaks
// to the outside: OpenAI, Anthropic and Ollama. Each answers as the real one
// does, byte for byte: the same members in the same order, the same headers,
// the same ends. What a model says is a Script, a list of steps; a step can
// also wait for the test, fail, fall silent or break off.
//
// Every call is kept with its body and headers, and tells when it ended and
// whether the client left before that, so that a test can count calls and see
// cancellation.
package provider

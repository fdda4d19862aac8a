// Package openai is the face that OpenAI's clients see: chat completions,
// embeddings and models, over every provider.
//
//	POST /v1/chat/completions                     JSON and server-sent events
//	POST /v1/embeddings                           floats and base64
//	GET  /v1/models, /v1/models/{id}              ids may hold slashes
//
// The same stands without /v1, under /openai/v1, and, for chat completions and
// embeddings, under Azure's /openai/deployments/{model}/, where the path names
// the model. Other paths of OpenAI's API answer 404 and say so.
//
// An error before the first event has its own status and OpenAI's body, also
// where a stream was asked for; one after it is an event {"error":{…}} without
// [DONE] behind it. While a client waits longer than the configured heartbeat
// for its first event, it gets comments (": ping"), which clients pass over.
//
// # Sessions
//
// Without a session the mesh keeps no conversation: clients send the whole
// history. With "x-gptmesh-session: new" a session is made, its id is in the
// answer's header of that name, and with "x-gptmesh-session: ID" the turn
// continues it: history goes before the turn's messages, unless these begin
// with it. The body member metadata.gptmesh_session means the same; it is taken
// out before the body goes on.
//
// # Headers of a request
//
//	x-gptmesh-session        new, or a session's id
//	x-gptmesh-user           the end user, up to 128 characters
//	Idempotency-Key          up to 255 characters; the same key never makes a second model call
//	x-gptmesh-on-disconnect  cancel (default), drain or detach: what becomes of the answer when the client leaves
//	x-gptmesh-cache          seconds, 0 to 604800: how old an earlier answer may be, and how long this one is kept
//	x-gptmesh-post           reasoning=keep|strip and format=plain|markdown|json, separated by commas
//	X-Request-Timeout        seconds: the deadline of the whole request
//
// A value that cannot be understood is answered with 400 naming the header.
//
// # Headers of an answer
//
//	x-gptmesh-request        the mesh's request
//	x-gptmesh-response       the mesh's answer, to be read or watched under /mesh/v1/responses/
//	x-gptmesh-session        the session, where there is one
//	x-gptmesh-model          the model that answered, as its provider names it
//	x-gptmesh-provider       the provider
//	x-gptmesh-dropped        members that the provider could not take, separated by commas
//	x-gptmesh-cached         true where no provider was called
package openai

// Package anthropic is the face that Anthropic's clients see: messages, counts
// of tokens and models, over every provider.
//
//	POST /v1/messages                  JSON and server-sent events
//	POST /v1/messages/count_tokens     counts without calling a provider
//	GET  /v1/models, /v1/models/{id}   ids may hold slashes
//
// The same stands without /v1 and under /anthropic/v1. The models stand at paths
// that OpenAI's clients use too: requests with the header anthropic-version get
// them in Anthropic's shape, and so do all under /anthropic/v1. The query
// ?beta=true is taken and says nothing. Other paths of Anthropic's API answer
// 404 and say so.
//
// An error before the first event has its own status and Anthropic's body, also
// where a stream was asked for; one after it is an event "error" with no
// message_stop behind it. Every answer names its request in the header
// request-id, every error's body in request_id. While a client waits longer than
// the configured heartbeat, for the first event or for a further one, it gets
// events "ping".
//
// # Input tokens
//
// Clients expect the count of input tokens in message_start, before most
// providers tell it. Over a provider of another dialect the prompt is counted
// beside the call; the first event never waits for it: where the count is not
// there in time, message_start has a guess by the size of the body. message_delta has the final counts, from
// the provider where it gives them.
//
// # Sessions and users
//
// Sessions are as in the face of OpenAI: the header x-gptmesh-session or
// metadata.gptmesh_session, which is taken out of the body. The end user is the
// header x-gptmesh-user, or else metadata.user_id; one of more than 128
// characters, as Claude Code sends, is known inside the mesh by a digest of it.
//
// # Headers of a request
//
//	x-api-key, Authorization   the key; see package edge
//	anthropic-version          handed on to providers of this dialect
//	anthropic-beta             likewise; several headers are joined
//	x-gptmesh-session          new, or a session's id
//	x-gptmesh-user             the end user, up to 128 characters
//	Idempotency-Key            up to 255 characters; the same key never makes a second model call
//	x-gptmesh-on-disconnect    cancel (default), drain or detach: what becomes of the answer when the client leaves
//	x-gptmesh-on-failure       stop (default) or continue: whether another target may go on with an answer that breaks off
//	x-gptmesh-cache            seconds, 0 to 604800: how old an earlier answer may be, and how long this one is kept
//	x-gptmesh-post             reasoning=keep|strip and format=plain|markdown|json, separated by commas
//	X-Request-Timeout          seconds: the deadline of the whole request
//
// A value that cannot be understood is answered with 400 naming the header.
//
// # Headers of an answer
//
//	request-id               the id of this request
//	x-gptmesh-request        the mesh's request
//	x-gptmesh-response       the mesh's answer, to be read or watched under /mesh/v1/responses/
//	x-gptmesh-session        the session, where there is one
//	x-gptmesh-model          the model that answered, as its provider names it
//	x-gptmesh-provider       the provider
//	x-gptmesh-target         the target, where a key, a region or a further attempt tells it from provider and model
//	x-gptmesh-attempts       how many calls were made, where more than one
//	x-gptmesh-dropped        members that the provider could not take, separated by commas
//	x-gptmesh-cached         true where no provider was called
package anthropic

// Package openai is the face that OpenAI's clients see: chat and legacy
// completions, embeddings and models, over every provider; and audio, images and
// moderations, over those that have them.
//
//	POST /v1/chat/completions                     JSON and server-sent events
//	POST /v1/completions, /beta/completions       prompts, with a suffix gaps to fill
//	POST /v1/fim/completions                      the same, answered like chat completions
//	POST /v1/embeddings                           floats and base64
//	POST /v1/moderations                          by a provider that has them, else by configured rules
//	POST /v1/audio/{transcriptions,translations,speech},
//	     /v1/images/{generations,edits,variations}  passed on to a provider that has them
//	GET  /v1/models, /v1/models/{id}              ids may hold slashes
//
// The same stands without /v1, under /openai/v1, and, but for models and
// fill-in-the-middle, under Azure's /openai/deployments/{model}/, where the path
// names the model. Other paths of OpenAI's API answer 404 and say so.
//
// An error before the first event has its own status and OpenAI's body, also
// where a stream was asked for; one after it is an event {"error":{…}} without
// [DONE] behind it. While a client waits longer than the configured heartbeat
// for its first event, it gets comments (": ping"), which clients pass over.
//
// # Prompts
//
// A provider that knows only chat completions gets a prompt as a user message; a
// suffix that it cannot take is named in x-gptmesh-dropped. Up to 16 prompts are
// taken at once: each is a turn of its own, and with n answers to each the answers
// to prompt p are the choices p*n to p*n+n-1, as at OpenAI. echo is served by the
// mesh whatever the provider knows. Token ids as a prompt, best_of above 1, and
// echo together with logprobs are refused.
//
// # Calls that are passed on
//
// The body goes to the provider as it is but for the model's name, and the answer
// comes back as it is, with content-type, retry-after and x-ratelimit-* of its
// headers. Where it breaks off, a stream of events ends with an error event, and
// any other answer with a broken connection.
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
//	x-gptmesh-on-failure     stop (default) or continue: whether another target may go on with an answer that breaks off
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
//	x-gptmesh-target         the target, where a key, a region or a further attempt tells it from provider and model
//	x-gptmesh-attempts       how many calls were made, where more than one
//	x-gptmesh-dropped        members that the provider could not take, separated by commas
//	x-gptmesh-cached         true where no provider was called
package openai

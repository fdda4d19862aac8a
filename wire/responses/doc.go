// Package responses translates the dialect of OpenAI's /v1/responses: turns,
// answers, streams of typed events, and the items that inputs, outputs and
// conversations are made of.
//
// # Items and messages
//
// A run of items of the assistant (messages, function calls, reasoning, items
// of kinds that only this wire knows) is one message of the turn, its parts in
// their order; of two messages in a row without a call between or around them
// each is one of its own. An output of a call is a tool message. Ids and states
// of items are left out of the typed half: they name what another server keeps.
// An item that no field holds is an opaque part; where the item is not the
// assistant's, its message has the wire role "item".
//
// Instructions become a system message in front, with the wire role
// "instructions": they are for this turn alone, and whoever keeps a
// conversation must not hand them to the next one.
//
// Members that no field holds go to extra_json as they are. Those below text
// and reasoning stand there as "text.verbosity", "reasoning.summary", so that
// each can be named on its own where another wire cannot carry it.
//
// # Reasoning
//
// A block of reasoning is an item with its text as summary. Its signature, or
// the encrypted block, is its encrypted_content; what another provider
// encrypted is marked with a prefix, so that it comes back as what it was. To a
// provider reasoning is sent where it has a signature and came in this dialect.
//
// # Namespaces
//
// A tool of type namespace holds others. Its functions are tools of the turn
// under flat names, "crm__find", which every provider takes; what describes the
// namespace is left out. Calls in the history are renamed alike, and in answers
// a call has its namespace and its own name again, by the client's tools.
//
// # Custom tools
//
// A tool of type custom takes plain text. Beside the tool as it came stands the
// function that other dialects offer in its place, with one text, "input". Calls
// have that function's arguments in the typed half, of whatever provider; in
// answers a call of a tool that is custom for the client has the text again.
//
// # Answers
//
// Items of an answer are numbered in the order in which they began, and one is
// open at a time, whatever order the events come in: what belongs to a later
// item waits while the arguments of a call are not whole. Ids of items follow
// from the id of the answer and their number (ItemID), sequence numbers from
// the events alone, so that encoding the same log again gives the same bytes.
//
// A codec of this dialect does not know what the client asked for; answers
// repeat it all the same. The face gives it with With.
//
// # Providers
//
// A provider is always told store:false: the mesh keeps answers itself. Only
// the first choice of an answer has a form in this dialect.
package responses

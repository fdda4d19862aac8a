package responses

import (
	"bytes"
	"encoding/json"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// The members of a turn that its answer repeats, by position in an Echo.
const (
	echoBackground = iota
	echoConversation
	echoFrequencyPenalty
	echoInstructions
	echoMaxOutputTokens
	echoMaxToolCalls
	echoMetadata
	echoParallelToolCalls
	echoPresencePenalty
	echoPreviousResponse
	echoPromptCacheKey
	echoReasoning
	echoSafetyIdentifier
	echoServiceTier
	echoStore
	echoTemperature
	echoText
	echoToolChoice
	echoTools
	echoTopLogprobs
	echoTopP
	echoTruncation
	echoUser
	echoMembers
)

var echoKeys = jsonscan.NewKeys(
	"background", "conversation", "frequency_penalty", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
	"presence_penalty", "previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
	"tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)

// Echo is what an answer repeats of what its client asked for. The zero value
// repeats OpenAI's defaults. It is read-only once a codec has it.
type Echo struct {
	// members are JSON without space between tokens; "" where not given.
	members [echoMembers]string
}

// EchoOf takes the members out of a client's body, or out of what JSON gave.
// The body is kept in no part. The error is a fault.
func EchoOf(body []byte) (*Echo, error) {
	var found [echoMembers]jsonscan.Member
	if _, err := jsonscan.Scan(body, echoKeys, found[:]); err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	e := &Echo{}
	var room bytes.Buffer
	for i, m := range found {
		if m.Kind == jsonscan.Absent || m.Kind == jsonscan.Null {
			continue
		}
		room.Reset()
		if err := json.Compact(&room, m.Raw(body)); err != nil {
			return nil, jsonbody.Malformed(echoKeys.Name(i), "the body is not valid JSON")
		}
		e.members[i] = room.String()
	}
	return e, nil
}

// JSON is an object of the members that were given.
func (e *Echo) JSON() string {
	var w writer
	w.Open('{')
	for i, json := range e.members {
		if json != "" {
			w.RawField(echoKeys.Name(i), json)
		}
	}
	w.Close('}')
	return string(w.B)
}

// Set sets the member of a name, to one JSON value without line breaks; "" takes
// it out. Names that no answer repeats are passed over.
func (e *Echo) Set(name, json string) {
	for i := range e.members {
		if echoKeys.Name(i) == name {
			e.members[i] = json
		}
	}
}

// Get is the JSON of the member of a name, "" where it was not given.
func (e *Echo) Get(name string) string {
	for i, json := range e.members {
		if echoKeys.Name(i) == name {
			return json
		}
	}
	return ""
}

// Stored says whether the answer may be asked for again: store was not false.
func (e *Echo) Stored() bool { return e.members[echoStore] != "false" }

// or is a member, or what stands in its place.
func (e *Echo) or(i int, other string) string {
	if e != nil && e.members[i] != "" {
		return e.members[i]
	}
	return other
}

// with is an object member with other members added where it lacks them.
func (e *Echo) with(i int, missing ...[2]string) string {
	given := []byte(e.or(i, "{}"))
	names := make([]string, len(missing))
	for n, m := range missing {
		names[n] = m[0]
	}
	found, err := jsonscan.Scan(given, jsonscan.NewKeys(names...), nil)
	if err != nil {
		return string(given) // It is no object: it goes back as it came.
	}
	edits := make([]jsonscan.Edit, 0, len(missing))
	for n, m := range missing {
		if !found[n].Present() {
			edits = append(edits, jsonscan.Edit{Key: m[0], Value: []byte(m[1])})
		}
	}
	out, err := jsonscan.Splice(nil, given, edits...)
	if err != nil {
		return string(given)
	}
	return string(out)
}

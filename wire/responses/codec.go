package responses

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// own is the dialect of this package.
const own = conversationv1.Wire_WIRE_OPENAI_RESPONSES

// Codec is the codec of /v1/responses. Answers repeat the defaults of what a
// client may ask for.
func Codec() wire.Codec { return codec{} }

// With is the codec for one client's turn: its answers repeat what echo holds,
// and its streams leave out the events up to and including the sequence number
// after; -1 leaves out none. The end of an answer that was interrupted is never
// left out: its number is above after.
func With(echo *Echo, after int64) wire.Codec { return codec{echo: echo, skip: after + 1} }

// Numbered is With, and gives each event of a stream its sequence number as the
// event's id: a browser's EventSource comes again behind the last it has seen.
func Numbered(echo *Echo, after int64) wire.Codec {
	return codec{echo: echo, skip: after + 1, numbered: true}
}

type codec struct {
	echo     *Echo
	skip     int64 // how many events a stream leaves out
	numbered bool  // events have ids
}

var _ wire.Codec = codec{}

// Wire implements wire.Codec.
func (codec) Wire() conversationv1.Wire { return own }

// Form implements wire.Codec.
func (codec) Form() conversationv1.RawForm { return conversationv1.RawForm_RAW_FORM_SSE }

package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

const own = conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES

// Messages is the codec of /v1/messages.
func Messages() wire.Codec { return codec{} }

type codec struct{}

var _ wire.Codec = codec{}

// Wire implements wire.Codec.
func (codec) Wire() conversationv1.Wire { return own }

// Form implements wire.Codec.
func (codec) Form() conversationv1.RawForm { return conversationv1.RawForm_RAW_FORM_SSE }

// NewRawScanner implements wire.Codec. Usage is a part of events that every
// client expects, so options.DropUsage takes nothing out. An event that tells of
// an error is taken out: its text is the provider's, and the failure that is
// found says what a client may see.
func (codec) NewRawScanner(wire.ScanOptions) wire.RawScanner { return &rawScanner{} }

// NewStreamEncoder implements wire.Codec.
func (codec) NewStreamEncoder(options wire.AnswerOptions) wire.StreamEncoder {
	return &streamEncoder{options: options}
}

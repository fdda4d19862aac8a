package bedrock

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

const own = conversationv1.Wire_WIRE_BEDROCK_CONVERSE

// Converse is the codec of Converse and ConverseStream.
func Converse() wire.Codec { return codec{} }

type codec struct{}

var _ wire.Codec = codec{}

// Wire implements wire.Codec.
func (codec) Wire() conversationv1.Wire { return own }

// Form implements wire.Codec: events are lines, see the package's comment.
func (codec) Form() conversationv1.RawForm { return conversationv1.RawForm_RAW_FORM_NDJSON }

// NewStreamDecoder implements wire.Codec.
func (codec) NewStreamDecoder() wire.StreamDecoder { return &streamDecoder{} }

// NewRawScanner implements wire.Codec. Usage is a part of events that every
// client expects, so options.DropUsage takes nothing out. An event that tells of
// an error is taken out: its text is the provider's, and the failure that is
// found says what a client may see.
func (codec) NewRawScanner(wire.ScanOptions) wire.RawScanner { return &rawScanner{} }

// NewStreamEncoder implements wire.Codec.
func (codec) NewStreamEncoder(options wire.AnswerOptions) wire.StreamEncoder {
	return &streamEncoder{options: options}
}

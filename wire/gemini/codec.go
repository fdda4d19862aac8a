package gemini

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

const own = conversationv1.Wire_WIRE_GEMINI_GENERATE

// Generate is the codec of generateContent and streamGenerateContent.
func Generate() wire.Codec { return codec{} }

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

// NewStreamEncoder implements wire.Codec. Events end with CR LF, as Google's do.
func (codec) NewStreamEncoder(options wire.AnswerOptions) wire.StreamEncoder {
	return &streamEncoder{identity: identity{options: options}}
}

// ModelPath is a model's name in addresses and bodies: "models/" is put before
// a name that has no folder.
func ModelPath(model string) string {
	if strings.Contains(model, "/") {
		return model
	}
	return "models/" + model
}

// ModelName is the name without "models/".
func ModelName(path string) string { return strings.TrimPrefix(path, "models/") }

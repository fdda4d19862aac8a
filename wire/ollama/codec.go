package ollama

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// Chat is the codec of /api/chat.
func Chat() wire.Codec { return codec{wire: conversationv1.Wire_WIRE_OLLAMA_CHAT} }

// Generate is the codec of /api/generate.
func Generate() wire.Codec { return codec{wire: conversationv1.Wire_WIRE_OLLAMA_GENERATE} }

type codec struct{ wire conversationv1.Wire }

var _ wire.Codec = codec{}

func (c codec) generate() bool { return c.wire == conversationv1.Wire_WIRE_OLLAMA_GENERATE }

// Wire implements wire.Codec.
func (c codec) Wire() conversationv1.Wire { return c.wire }

// Form implements wire.Codec.
func (c codec) Form() conversationv1.RawForm { return conversationv1.RawForm_RAW_FORM_NDJSON }

// NewRawScanner implements wire.Codec. The usage stands in the last line, which
// every client expects, so options.DropUsage takes nothing out. A line that
// tells of an error is taken out: its text is the provider's, and the failure
// that is found says what a client may see.
func (c codec) NewRawScanner(wire.ScanOptions) wire.RawScanner {
	return &rawScanner{lines: lines{codec: c}}
}

// NewStreamEncoder implements wire.Codec.
func (c codec) NewStreamEncoder(options wire.AnswerOptions) wire.StreamEncoder {
	return newStreamEncoder(c, options)
}

// related says whether extra members of w can go to an Ollama server.
func related(w conversationv1.Wire) bool {
	return w == conversationv1.Wire_WIRE_OLLAMA_CHAT || w == conversationv1.Wire_WIRE_OLLAMA_GENERATE
}

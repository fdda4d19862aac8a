package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

const completionsWire = conversationv1.Wire_WIRE_OPENAI_COMPLETIONS

// Completions is the codec of /v1/completions: a prompt that is no
// conversation, and an answer that goes on from it.
func Completions() wire.Codec { return completions{} }

type completions struct{}

var _ wire.Codec = completions{}

// Wire implements wire.Codec.
func (completions) Wire() conversationv1.Wire { return completionsWire }

// Form implements wire.Codec.
func (completions) Form() conversationv1.RawForm { return conversationv1.RawForm_RAW_FORM_SSE }

// NewRawScanner implements wire.Codec, as for chat completions: what it looks
// for is the same in both.
func (completions) NewRawScanner(options wire.ScanOptions) wire.RawScanner {
	return newRawScanner(options)
}

// FIM is the codec of a provider's /v1/fim/completions, as Mistral has it: it is
// asked like legacy completions and answers like chat completions. Its Wire is
// that of the answer.
func FIM() wire.Codec { return fim{} }

// fim is chat completions but for what is asked.
type fim struct{ chat }

// EncodeTurn implements wire.Codec, as that of Completions does.
func (fim) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) (body []byte, lost []string, err error) {
	return completions{}.EncodeTurn(turn, options)
}

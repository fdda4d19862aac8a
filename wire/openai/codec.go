package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// own is the dialect of this package.
const own = conversationv1.Wire_WIRE_OPENAI_CHAT

// Chat is the codec of /v1/chat/completions.
func Chat() wire.Codec { return chat{} }

type chat struct{}

var (
	_ wire.Codec         = chat{}
	_ wire.KeptDecoder   = chat{}
	_ wire.MessageReader = chat{}
)

// Wire implements wire.Codec.
func (chat) Wire() conversationv1.Wire { return own }

// Form implements wire.Codec.
func (chat) Form() conversationv1.RawForm { return conversationv1.RawForm_RAW_FORM_SSE }

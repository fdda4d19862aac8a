package gpt

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/dialects"
)

const anthropicWire = conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES

// codecOf returns the codec of a dialect, or nil where it is not known.
func codecOf(w conversationv1.Wire) wire.Codec {
	codec, _ := dialects.For(w)
	return codec
}

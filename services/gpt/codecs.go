package gpt

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
	"github.com/gptmesh/gptmesh/wire/gemini"
	"github.com/gptmesh/gptmesh/wire/ollama"
	"github.com/gptmesh/gptmesh/wire/openai"
)

const anthropicWire = conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES

// codecOf returns the codec of a dialect, or nil where it is not known.
func codecOf(w conversationv1.Wire) wire.Codec {
	switch w {
	case conversationv1.Wire_WIRE_OPENAI_CHAT:
		return openai.Chat()
	case conversationv1.Wire_WIRE_OPENAI_COMPLETIONS:
		return openai.Completions()
	case anthropicWire:
		return anthropic.Messages()
	case conversationv1.Wire_WIRE_OLLAMA_CHAT:
		return ollama.Chat()
	case conversationv1.Wire_WIRE_OLLAMA_GENERATE:
		return ollama.Generate()
	case conversationv1.Wire_WIRE_GEMINI_GENERATE:
		return gemini.Generate()
	}
	return nil
}

// Package dialects is the table of the dialects that the mesh speaks.
package dialects

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
	"github.com/gptmesh/gptmesh/wire/bedrock"
	"github.com/gptmesh/gptmesh/wire/gemini"
	"github.com/gptmesh/gptmesh/wire/ollama"
	"github.com/gptmesh/gptmesh/wire/openai"
	"github.com/gptmesh/gptmesh/wire/responses"
)

// For returns the codec of a dialect, and whether there is one.
func For(w conversationv1.Wire) (wire.Codec, bool) {
	switch w {
	case conversationv1.Wire_WIRE_OPENAI_CHAT:
		return openai.Chat(), true
	case conversationv1.Wire_WIRE_OPENAI_COMPLETIONS:
		return openai.Completions(), true
	case conversationv1.Wire_WIRE_OPENAI_RESPONSES:
		return responses.Codec(), true
	case conversationv1.Wire_WIRE_OLLAMA_CHAT:
		return ollama.Chat(), true
	case conversationv1.Wire_WIRE_OLLAMA_GENERATE:
		return ollama.Generate(), true
	case conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES:
		return anthropic.Messages(), true
	case conversationv1.Wire_WIRE_BEDROCK_CONVERSE:
		return bedrock.Converse(), true
	case conversationv1.Wire_WIRE_GEMINI_GENERATE:
		return gemini.Generate(), true
	}
	return nil, false
}

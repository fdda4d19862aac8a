package dialects

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/openai"
)

// AsksUsage says whether the client of a turn's raw half expects the count of
// tokens in its streamed answer. OpenAI's clients get it where they ask for it;
// in the other dialects it is a part of every answer. Where it is false and the
// mesh asked for its own sake, the raw scanner has to drop it.
func AsksUsage(turn *conversationv1.Turn) bool {
	switch turn.GetRaw().GetWire() {
	case conversationv1.Wire_WIRE_OPENAI_CHAT, conversationv1.Wire_WIRE_OPENAI_COMPLETIONS:
		return openai.AsksUsage(turn)
	}
	return true
}

package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// spoiled are the finish reasons of answers that cannot be used. Source:
// https://ai.google.dev/api/generate-content#FinishReason, 2026-11.
var spoiled = []string{
	"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE",
	"IMAGE_OTHER", "NO_IMAGE", "OTHER",
}

// finishReason reads finishReason. There is none for calls: a model that called
// tools stopped.
func finishReason(reason string, called bool) conversationv1.FinishReason {
	switch reason {
	case "STOP":
		if called {
			return conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
		}
		return conversationv1.FinishReason_FINISH_REASON_STOP
	case "MAX_TOKENS":
		return conversationv1.FinishReason_FINISH_REASON_LENGTH
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER
	}
	if called {
		return conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	}
	return conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED
}

// reasonWord writes it.
func reasonWord(reason conversationv1.FinishReason) string {
	switch reason {
	case conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED:
		return "FINISH_REASON_UNSPECIFIED"
	case conversationv1.FinishReason_FINISH_REASON_LENGTH:
		return "MAX_TOKENS"
	case conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER, conversationv1.FinishReason_FINISH_REASON_REFUSAL:
		return "SAFETY"
	}
	return "STOP"
}

package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// finishReason reads stop_reason.
func finishReason(stop string) conversationv1.FinishReason {
	switch stop {
	case "end_turn", "stop_sequence":
		return conversationv1.FinishReason_FINISH_REASON_STOP
	case "max_tokens", "model_context_window_exceeded":
		return conversationv1.FinishReason_FINISH_REASON_LENGTH
	case "tool_use":
		return conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	case "refusal":
		return conversationv1.FinishReason_FINISH_REASON_REFUSAL
	case "pause_turn":
		return conversationv1.FinishReason_FINISH_REASON_PAUSE
	}
	return conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED
}

// stopReason writes it. A model that called tools and just stopped, as OpenAI has
// it of a forced tool, waits for their results.
func stopReason(reason conversationv1.FinishReason, sequence string, called bool) string {
	switch reason {
	case conversationv1.FinishReason_FINISH_REASON_LENGTH:
		return "max_tokens"
	case conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS:
		return "tool_use"
	case conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER, conversationv1.FinishReason_FINISH_REASON_REFUSAL:
		return "refusal"
	case conversationv1.FinishReason_FINISH_REASON_PAUSE:
		return "pause_turn"
	}
	switch {
	case sequence != "":
		return "stop_sequence"
	case called:
		return "tool_use"
	}
	return "end_turn"
}

// writeStop writes the members stop_reason and stop_sequence; null is no stop.
func (w *writer) writeStop(reason, sequence string) {
	w.StrField("stop_reason", reason)
	w.Key("stop_sequence")
	if reason != "stop_sequence" {
		w.Raw("null")
		return
	}
	w.Str(sequence)
}

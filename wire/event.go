package wire

import conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"

// Terminal says whether event ends an answer.
func Terminal(event *conversationv1.Event) bool {
	switch event.GetKind().(type) {
	case *conversationv1.Event_Finished, *conversationv1.Event_Failed:
		return true
	}
	return false
}

// Last returns the terminal event of chunk, or nil.
func Last(chunk *conversationv1.Chunk) *conversationv1.Event {
	if n := len(chunk.GetEvents()); n > 0 && Terminal(chunk.GetEvents()[n-1]) {
		return chunk.GetEvents()[n-1]
	}
	return nil
}

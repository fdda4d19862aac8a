package openai

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// wholeCall is a call for a client that takes it in one piece only.
type wholeCall struct {
	head      *conversationv1.ToolCallDelta // without arguments
	arguments []byte
}

// gather keeps a piece of a call with those before it.
func (c *choiceEncoder) gather(delta *conversationv1.ToolCallDelta) {
	for _, call := range c.calls {
		if call.head.GetIndex() == delta.GetIndex() {
			call.arguments = append(call.arguments, delta.GetArgumentsJson()...)
			return
		}
	}
	c.calls = append(c.calls, &wholeCall{
		head: &conversationv1.ToolCallDelta{
			Choice: delta.GetChoice(), Index: delta.GetIndex(), Id: strings.Clone(delta.GetId()), Name: strings.Clone(delta.GetName()),
		},
		arguments: []byte(delta.GetArgumentsJson()),
	})
}

// wholeCalls writes the calls of a choice that were gathered.
func (e *streamEncoder) wholeCalls(dst []byte, index int32) []byte {
	calls := e.choice(index).calls
	e.choice(index).calls = nil
	for _, call := range calls {
		dst = e.piece(dst, call.head, "function", "arguments", string(call.arguments))
	}
	return dst
}

// Package toolcalls joins tool calls with their results where a dialect leaves
// their ids out.
package toolcalls

import (
	"hash/fnv"
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// LackIDs says whether a call or a result of the history has no id.
func LackIDs(messages []*conversationv1.Message) bool {
	for _, message := range messages {
		for _, part := range message.GetParts() {
			if call := part.GetToolCall(); call != nil && call.GetId() == "" {
				return true
			}
			if result := part.GetToolResult(); result != nil && result.GetToolCallId() == "" {
				return true
			}
		}
	}
	return false
}

// Join gives an id to calls that have none, and to results without one
// the id of the oldest open call of their tool, or of any tool where they name
// none. Ids follow from place and content.
func Join(messages []*conversationv1.Message) {
	if !LackIDs(messages) {
		return
	}
	var open []*conversationv1.ToolCall
	for i, message := range messages {
		for j, part := range message.GetParts() {
			switch kind := part.GetKind().(type) {
			case *conversationv1.ContentPart_ToolCall:
				call := kind.ToolCall
				if call.Id == "" {
					call.Id = InventID(strconv.Itoa(i), strconv.Itoa(j), call.GetName(), call.GetArgumentsJson())
				}
				open = append(open, call)
			case *conversationv1.ContentPart_ToolResult:
				result := kind.ToolResult
				at := answered(open, result)
				switch {
				case at >= 0:
					result.ToolCallId = open[at].GetId()
					open = append(open[:at:at], open[at+1:]...)
				case result.ToolCallId == "":
					result.ToolCallId = InventID(strconv.Itoa(i), strconv.Itoa(j), result.GetToolName())
				}
			}
		}
	}
}

// answered finds the open call that a result belongs to, or -1.
func answered(open []*conversationv1.ToolCall, result *conversationv1.ToolResult) int {
	for i, call := range open {
		switch {
		case result.GetToolCallId() != "":
			if call.GetId() == result.GetToolCallId() {
				return i
			}
		case result.GetToolName() == "" || result.GetToolName() == call.GetName():
			return i
		}
	}
	return -1
}

// InventID makes the id of a call that has none.
func InventID(of ...string) string {
	h := fnv.New128a()
	for _, s := range of {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	id := []byte("call_")
	for _, b := range h.Sum(nil) {
		id = append(id, alphabet[b&31])
	}
	return string(id)
}

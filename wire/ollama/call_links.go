package ollama

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// callLinks joins the tool calls of a history with their results, which may
// name a call by id, by tool name, or by standing in order.
type callLinks struct {
	open  []*openCall // calls without a result, oldest first
	count int
}

// openCall is a call that waits for its result.
type openCall struct {
	call  *conversationv1.ToolCall
	named bool // the client gave the id
}

// add notes the history's next call and gives it an id where it has none.
func (l *callLinks) add(call *conversationv1.ToolCall) {
	open := &openCall{call: call, named: call.GetId() != ""}
	if !open.named {
		call.Id = callID("", l.count, call.GetName(), call.GetArgumentsJson())
	}
	l.count++
	l.open = append(l.open, open)
}

// answer joins a result with the call that it answers, and sets what the one
// knows of the other.
func (l *callLinks) answer(result *conversationv1.ToolResult) {
	i := l.find(result)
	if i < 0 {
		return
	}
	call := l.open[i].call
	if result.GetToolCallId() != "" {
		call.Id = result.GetToolCallId() // The client's own id outranks a made-up one.
	}
	result.ToolCallId = call.GetId()
	if result.GetToolName() == "" {
		result.ToolName = call.GetName()
	}
	l.open = append(l.open[:i], l.open[i+1:]...)
}

// find returns the position of the oldest open call that result can be of: that
// with its id; else, for a result whose id no call has, one without an id of
// the client's.
func (l *callLinks) find(result *conversationv1.ToolResult) int {
	id, name := result.GetToolCallId(), result.GetToolName()
	for i, open := range l.open {
		if id != "" && open.call.GetId() == id {
			return i
		}
	}
	for i, open := range l.open {
		if (id == "" || !open.named) && (name == "" || open.call.GetName() == name) {
			return i
		}
	}
	return -1
}

// callID makes the id of a call that has none. The same seed, place, name and
// arguments give the same id.
func callID(seed string, ordinal int, name, arguments string) string {
	sum := sha256.Sum256([]byte(seed + "\x00" + strconv.Itoa(ordinal) + "\x00" + name + "\x00" + arguments))
	return "call_" + hex.EncodeToString(sum[:12])
}

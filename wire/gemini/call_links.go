package gemini

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// callLinks joins the calls of a history with their responses: by id, else by
// the name of the function and the order in which they stand.
type callLinks struct {
	open  []openCall // calls without a response, oldest first
	count int
}

// openCall is a call that waits for its response.
type openCall struct {
	id, name string
	invented bool // the client gave no id
	ordinal  int
}

// add notes the history's next call and gives it an id where it has none.
func (l *callLinks) add(call *conversationv1.ToolCall) {
	invented := call.GetId() == ""
	if invented {
		call.Id = callID("", 0, l.count, call.GetName(), call.GetArgumentsJson())
	}
	l.open = append(l.open, openCall{id: call.GetId(), name: call.GetName(), invented: invented, ordinal: l.count})
	l.count++
}

// take finds the call that a response answers and takes it out; false where
// there is none. A response that names an id which no call has answers a call
// without an id of the client's, and an id counts for more than a name.
func (l *callLinks) take(id, name string) (openCall, bool) {
	found := -1
	for i, open := range l.open {
		if id != "" && open.id == id {
			found = i
			break
		}
		if found < 0 && (id == "" || open.invented) && (name == "" || name == open.name) {
			found = i
		}
	}
	if found < 0 {
		return openCall{}, false
	}
	call := l.open[found]
	l.open = append(l.open[:found], l.open[found+1:]...)
	return call, true
}

// answer joins a response with its call.
func (l *callLinks) answer(result *conversationv1.ToolResult) {
	if call, ok := l.take(result.GetToolCallId(), result.GetToolName()); ok {
		result.ToolCallId = call.id
		if result.GetToolName() == "" {
			result.ToolName = call.name
		}
	}
}

// callID makes the id of a call that has none. The same answer, place, name and
// arguments give the same id.
func callID(answer string, choice int32, ordinal int, name, arguments string) string {
	seed := answer + "\x00" + strconv.Itoa(int(choice)) + "\x00" + strconv.Itoa(ordinal) + "\x00" + name + "\x00" + arguments
	sum := sha256.Sum256([]byte(seed))
	return "call_" + hex.EncodeToString(sum[:12])
}

func quote(text string) []byte { return jsonscan.AppendString(nil, text) }

package responses_test

import (
	"encoding/json"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/responses"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

var longNamespace = "mcp__" + strings.Repeat("n", 60)

// namespaced is a turn as Codex sends it: the tools of a server of the Model
// Context Protocol are a namespace.
var namespaced = `{"model":"m","input":[
	{"type":"message","role":"user","content":"add"},
	{"type":"function_call","call_id":"call_0","namespace":"mcp__calc","name":"add","arguments":"{}"},
	{"type":"function_call_output","call_id":"call_0","namespace":"mcp__calc","output":"3"}],
	"tools":[
	{"type":"function","name":"add","parameters":{"type":"object"}},
	{"type":"namespace","name":"mcp__calc","description":"Sums","tools":[
		{"type":"function","name":"add","description":"adds","strict":false,"parameters":{"type":"object","properties":{"a":{"type":"number"}}}},
		{"type":"custom","name":"formula"}]},
	{"type":"namespace","name":"` + longNamespace + `","tools":[{"type":"function","name":"add"}]}]}`

// The functions of a namespace are tools like others for every provider, and
// are called by their own names again where the client hears of it.
func TestToolsOfNamespaces(t *testing.T) {
	t.Parallel()
	turn, err := responses.Codec().DecodeTurn([]byte(namespaced))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range turn.GetTools() {
		names = append(names, tool.GetName()+tool.GetWireType())
		if len(tool.GetName()) > 64 {
			t.Errorf("no provider takes %s", tool.GetName())
		}
	}
	long := names[len(names)-1]
	if got := strings.Join(names[:3], " "); got != "add mcp__calc__add mcp__calc__formulacustom" || !strings.HasPrefix(long, "mcp__nnn") {
		t.Errorf("tools: %s", names)
	}
	call := turn.GetMessages()[1].GetParts()[0]
	if call.GetToolCall().GetName() != "mcp__calc__add" || call.GetExtraJson() != "" {
		t.Errorf("the call in the history: %s", wiretest.Show(t, call))
	}
	if output := turn.GetMessages()[2].GetParts()[0]; output.GetExtraJson() != "" {
		t.Errorf("its output: %s", wiretest.Show(t, output))
	}

	echo, err := responses.EchoOf([]byte(namespaced))
	if err != nil {
		t.Fatal(err)
	}
	events := []*conversationv1.Event{
		started(), called(0, "call_1", "mcp__calc__add", "{}"), called(1, "call_2", "add", "{}"), called(2, "call_3", long, "{}"),
		called(3, "call_4", "formula", "1+1"), ended(stop), finished(),
	}
	codec := responses.With(echo, -1)
	stream, err := codec.NewStreamEncoder(wiretest.Options()).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	checkOrder(t, stream)
	wiretest.Golden(t, "testdata/namespaces.golden", string(stream), *update)
	whole, err := codec.EncodeAnswer(wiretest.Assemble(t, events), wiretest.Options())
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Output []struct{ Type, Name, Namespace string }
	}
	if err := json.Unmarshal(whole, &answer); err != nil {
		t.Fatal(err)
	}
	want := []struct{ Type, Name, Namespace string }{
		{"function_call", "add", "mcp__calc"}, {"function_call", "add", ""},
		{"function_call", "add", longNamespace}, {"custom_tool_call", "formula", "mcp__calc"},
	}
	for i, item := range answer.Output {
		if item != want[i] {
			t.Errorf("item %d: %+v, want %+v", i, item, want[i])
		}
	}
	if len(answer.Output) != len(want) {
		t.Errorf("%d items of %d", len(answer.Output), len(want))
	}

	back, _ := wiretest.Decode(t, responses.Codec(), strings.NewReader(string(stream)))
	if name := back[1].GetToolCall().GetName(); name != "mcp__calc__add" {
		t.Errorf("a provider's call of a namespace decodes to %q", name)
	}
}

func TestNamespacesWithoutNameOrTools(t *testing.T) {
	t.Parallel()
	for tool, field := range map[string]string{
		`{"type":"namespace","tools":[]}`:                               "tools[0].name",
		`{"type":"namespace","name":"n"}`:                               "tools[0].tools",
		`{"type":"namespace","name":"n","tools":[{"type":"function"}]}`: "tools[0].tools[0].name",
		`{"type":"namespace","name":"n","tools":[{"name":"x"}]}`:        "tools[0].tools[0].type",
		`{"type":"namespace","name":"n","tools":"x"}`:                   "tools[0].tools",
		`{"type":"namespace","name":5,"tools":[]}`:                      "tools[0].name",
	} {
		_, err := responses.Codec().DecodeTurn([]byte(`{"model":"m","input":"x","tools":[` + tool + `]}`))
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s: %v, want %s", tool, err, field)
		}
	}
}

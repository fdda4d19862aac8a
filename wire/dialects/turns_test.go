package dialects_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/dialects"
)

// asked is what every dialect has to carry of a turn.
type asked struct {
	Model   string
	System  string
	User    string
	Replies string
	Tools   []string
	Calls   []string
	Results string
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

func askedOf(t *testing.T, turn *conversationv1.Turn) asked {
	t.Helper()
	a := asked{Model: turn.GetModel()}
	open := map[string]int{}
	results := map[int]string{} // by the place of their calls: some dialects demand that order
	for _, message := range turn.GetMessages() {
		for _, part := range message.GetParts() {
			switch kind := part.GetKind().(type) {
			case *conversationv1.ContentPart_Text:
				switch message.GetRole() {
				case conversationv1.Role_ROLE_SYSTEM:
					a.System = words(a.System + " " + kind.Text)
				case conversationv1.Role_ROLE_USER:
					if strings.HasPrefix(kind.Text, "Result of tool call ") {
						continue // It introduces a picture that the tool's message could not hold.
					}
					a.User = words(a.User + " " + kind.Text)
				case conversationv1.Role_ROLE_ASSISTANT:
					a.Replies = words(a.Replies + " " + kind.Text)
				}
			case *conversationv1.ContentPart_Refusal:
				a.Replies = words(a.Replies + " " + kind.Refusal)
			case *conversationv1.ContentPart_ToolCall:
				a.Calls = append(a.Calls, kind.ToolCall.GetName())
				open[kind.ToolCall.GetId()] = len(a.Calls)
			case *conversationv1.ContentPart_ToolResult:
				call := open[kind.ToolResult.GetToolCallId()]
				if call == 0 {
					t.Errorf("the result of call %q answers none", kind.ToolResult.GetToolCallId())
				}
				for _, inner := range kind.ToolResult.GetParts() {
					results[call] = words(results[call] + " " + inner.GetText())
				}
			}
		}
	}
	for call := range len(a.Calls) + 1 {
		a.Results = words(a.Results + " " + results[call])
	}
	for _, tool := range turn.GetTools() {
		parameters := tool.GetParametersJson()
		if parameters == "" { // Some dialects demand a schema.
			parameters = `{"type":"object","properties":{}}`
		}
		if tool.GetWireType() == "" || tool.GetParametersJson() != "" {
			a.Tools = append(a.Tools, tool.GetName()+" "+parameters)
		}
	}
	return a
}

// TestEveryClientForEveryProvider sends each recorded request to a provider of
// each dialect: read back, it asks the same.
func TestEveryClientForEveryProvider(t *testing.T) {
	t.Parallel()
	for _, client := range []struct {
		wire    conversationv1.Wire
		pattern string
	}{
		{conversationv1.Wire_WIRE_OPENAI_CHAT, "../openai/testdata/turns/*.json"},
		{conversationv1.Wire_WIRE_OPENAI_RESPONSES, "../responses/testdata/turns/*.json"},
		{conversationv1.Wire_WIRE_OLLAMA_CHAT, "../ollama/testdata/turns/chat_*.json"},
		{conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES, "../anthropic/testdata/turns/*.json"},
		{conversationv1.Wire_WIRE_OPENAI_COMPLETIONS, "../openai/testdata/completions/turns/*.json"},
		{conversationv1.Wire_WIRE_GEMINI_GENERATE, "../gemini/testdata/turns/*.json"},
		{conversationv1.Wire_WIRE_BEDROCK_CONVERSE, "../bedrock/testdata/turns/*.json"},
	} {
		paths, err := filepath.Glob(client.pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(client.pattern, err)
		}
		for _, path := range paths {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			from, _ := dialects.For(client.wire)
			turn, err := from.DecodeTurn(body)
			if err != nil {
				t.Fatal(path, err)
			}
			if len(turn.GetMessages()) == 0 {
				continue // It only loads a model.
			}
			if turn.GetModel() == "" {
				turn.Model = "from-the-address"
			}
			for _, provider := range recordings {
				if provider.wire == conversationv1.Wire_WIRE_OPENAI_COMPLETIONS {
					continue // It takes a prompt, no conversation.
				}
				t.Run(provider.name+"/"+filepath.Base(path), func(t *testing.T) {
					t.Parallel()
					to, _ := dialects.For(provider.wire)
					before := proto.CloneOf(turn)
					out, dropped, err := to.EncodeTurn(turn, wire.TurnOptions{Model: turn.GetModel(), Stream: true, WantUsage: true})
					if err != nil {
						t.Fatal(err)
					}
					if !json.Valid(out) {
						t.Fatalf("not JSON: %s", out)
					}
					if !proto.Equal(before, turn) {
						t.Error("the turn was changed")
					}
					again, err := to.DecodeTurn(out)
					if err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
					if provider.wire == conversationv1.Wire_WIRE_GEMINI_GENERATE || provider.wire == conversationv1.Wire_WIRE_BEDROCK_CONVERSE {
						again.Model = turn.GetModel() // It stands in the address.
					}
					if provider.wire == conversationv1.Wire_WIRE_BEDROCK_CONVERSE && len(turn.GetTools()) == 0 {
						again.Tools = nil // A history with calls demands that they be declared.
					}
					if diff := cmp.Diff(askedOf(t, turn), askedOf(t, again)); diff != "" {
						t.Errorf("asks something else; dropped %q (-client +provider)\n%s", dropped, diff)
					}
				})
			}
		}
	}
}

// bodies are one question in each client's dialect; %TEXT% and %PICTURE% stand
// for what is asked. Completions have no pictures.
var bodies = map[conversationv1.Wire]string{
	conversationv1.Wire_WIRE_OPENAI_CHAT:        `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"%TEXT%"},{"type":"image_url","image_url":{"url":"data:image/png;base64,%PICTURE%"}}]}]}`,
	conversationv1.Wire_WIRE_OPENAI_RESPONSES:   `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"%TEXT%"},{"type":"input_image","image_url":"data:image/png;base64,%PICTURE%"}]}]}`,
	conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES: `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"%TEXT%"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%PICTURE%"}}]}]}`,
	conversationv1.Wire_WIRE_OLLAMA_CHAT:        `{"model":"m","messages":[{"role":"user","content":"%TEXT%","images":["%PICTURE%"]}]}`,
	conversationv1.Wire_WIRE_OLLAMA_GENERATE:    `{"model":"m","prompt":"%TEXT%","images":["%PICTURE%"]}`,
	conversationv1.Wire_WIRE_GEMINI_GENERATE:    `{"contents":[{"role":"user","parts":[{"text":"%TEXT%"},{"inlineData":{"mimeType":"image/png","data":"%PICTURE%"}}]}]}`,
	conversationv1.Wire_WIRE_BEDROCK_CONVERSE:   `{"messages":[{"role":"user","content":[{"text":"%TEXT%"},{"image":{"format":"png","source":{"bytes":"%PICTURE%"}}}]}]}`,
	conversationv1.Wire_WIRE_OPENAI_COMPLETIONS: `{"model":"m","prompt":"%TEXT%"}`,
}

const picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// TestPicturesAndLongPrompts sends a picture and a prompt of a megabyte from
// every client to every provider: both arrive whole, once.
func TestPicturesAndLongPrompts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Is it 世界? ", 1<<20/14)
	for client, body := range bodies {
		from, _ := dialects.For(client)
		body = strings.NewReplacer("%TEXT%", long, "%PICTURE%", picture).Replace(body)
		typed, err := from.DecodeTurn([]byte(body))
		if err != nil {
			t.Fatal(client, err)
		}
		raw, err := from.ScanTurn([]byte(body))
		if err != nil {
			t.Fatal(client, err)
		}
		for provider := range bodies {
			to, _ := dialects.For(provider)
			turn := typed
			if provider == client {
				turn = raw
			}
			out, dropped, err := to.EncodeTurn(turn, wire.TurnOptions{Model: "m", Stream: true})
			if err != nil {
				t.Errorf("%v to %v: %v", client, provider, err)
				continue
			}
			if n := strings.Count(string(out), long); n != 1 {
				t.Errorf("%v to %v: the prompt is there %d times", client, provider, n)
			}
			switch n := strings.Count(string(out), picture); {
			case client == conversationv1.Wire_WIRE_OPENAI_COMPLETIONS:
			case provider == conversationv1.Wire_WIRE_OPENAI_COMPLETIONS && (n != 0 || len(dropped) == 0),
				provider != conversationv1.Wire_WIRE_OPENAI_COMPLETIONS && (n != 1 || len(dropped) > 0):
				t.Errorf("%v to %v: the picture is there %d times, dropped %q", client, provider, n, dropped)
			}
		}
	}
}

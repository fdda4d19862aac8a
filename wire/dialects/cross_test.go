package dialects_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/dialects"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

var update = flag.Bool("update", false, "write golden files")

// scenarios are what every provider's dialect is recorded with, as far as it
// knows them.
var scenarios = []string{
	"text", "tool", "parallel_tools", "same_tool_twice", "reasoning_tool", "json_schema", "stop", "length", "refusal", "choices", "logprobs",
	"error_first", "error_midway", "empty", "emoji",
}

// unknown are what a provider's dialect cannot say.
var unknown = map[conversationv1.Wire][]string{
	conversationv1.Wire_WIRE_OLLAMA_CHAT:        {"choices"},
	conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES: {"choices", "logprobs"},
	conversationv1.Wire_WIRE_BEDROCK_CONVERSE:   {"choices", "logprobs"},
	conversationv1.Wire_WIRE_OPENAI_RESPONSES:   {"choices", "stop"},
	conversationv1.Wire_WIRE_OPENAI_COMPLETIONS: {
		"tool", "parallel_tools", "same_tool_twice", "reasoning_tool", "json_schema", "refusal", "choices", "logprobs", "stop", "empty",
	},
}

// recordings are where the answers of providers stand.
var recordings = []struct {
	wire conversationv1.Wire
	name string
	path string
}{
	{conversationv1.Wire_WIRE_OPENAI_CHAT, "openai", "../openai/testdata/streams/%.sse"},
	{conversationv1.Wire_WIRE_OPENAI_RESPONSES, "openai_responses", "../responses/testdata/streams/%.sse"},
	{conversationv1.Wire_WIRE_OLLAMA_CHAT, "ollama_chat", "testdata/ollama_chat/%.ndjson"},
	{conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES, "anthropic", "testdata/anthropic/%.sse"},
	{conversationv1.Wire_WIRE_OPENAI_COMPLETIONS, "openai_completions", "testdata/openai_completions/%.sse"},
	{conversationv1.Wire_WIRE_GEMINI_GENERATE, "gemini", "../gemini/testdata/streams/%.sse"},
	{conversationv1.Wire_WIRE_BEDROCK_CONVERSE, "bedrock", "../bedrock/testdata/streams/%.ndjson"},
}

var clients = []conversationv1.Wire{
	conversationv1.Wire_WIRE_OPENAI_CHAT, conversationv1.Wire_WIRE_OPENAI_RESPONSES,
	conversationv1.Wire_WIRE_OLLAMA_CHAT, conversationv1.Wire_WIRE_OLLAMA_GENERATE,
	conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES, conversationv1.Wire_WIRE_OPENAI_COMPLETIONS,
	conversationv1.Wire_WIRE_GEMINI_GENERATE, conversationv1.Wire_WIRE_BEDROCK_CONVERSE,
}

// TestEveryProviderForEveryClient runs each recorded stream through each
// client's dialect: golden, and read back by that dialect's own decoder it says
// the same.
func TestEveryProviderForEveryClient(t *testing.T) {
	t.Parallel()
	for _, provider := range recordings {
		for _, scenario := range scenarios {
			path := strings.Replace(provider.path, "%", scenario, 1)
			data, err := os.ReadFile(path)
			if os.IsNotExist(err) && contains(unknown[provider.wire], scenario) {
				continue
			}
			t.Run(provider.name+"/"+scenario, func(t *testing.T) {
				t.Parallel()
				if err != nil {
					t.Fatal(err)
				}
				cross(t, provider.wire, data, filepath.Join("testdata", "golden", provider.name, scenario+".golden"))
			})
		}
	}
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}

func cross(t *testing.T, provider conversationv1.Wire, data []byte, golden string) {
	codec, ok := dialects.For(provider)
	if !ok {
		t.Fatal("no codec")
	}
	events, ending := wiretest.Decode(t, codec, bytes.NewReader(data))
	if ending != (wiretest.Ending{}) {
		t.Fatalf("the recording ends with %v", ending)
	}
	answer := wiretest.Assemble(t, events)
	var out strings.Builder
	for _, client := range clients {
		codec, ok := dialects.For(client)
		if !ok {
			t.Fatal("no codec")
		}
		streamed := wiretest.Encode(t, codec, events)
		out.WriteString("==== " + client.String() + " streamed\n" + string(streamed))
		again, ending := wiretest.Decode(t, codec, bytes.NewReader(streamed))
		if ending != (wiretest.Ending{}) {
			t.Errorf("%v: what the client reads ends with %v", client, ending)
		}
		same(t, client, answer, wiretest.Assemble(t, again))
		if answer.Failure != nil {
			continue
		}
		body, err := codec.EncodeAnswer(answer, wiretest.Options())
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("==== " + client.String() + " whole\n" + string(bytes.TrimSpace(body)) + "\n")
		whole, err := codec.DecodeAnswer(body)
		if err != nil {
			t.Fatal(err)
		}
		same(t, client, answer, wiretest.Assemble(t, whole))
	}
	wiretest.Golden(t, golden, out.String(), *update)
}

// meaning is what every dialect has to carry of the first choice.
type meaning struct {
	Failed, Finished bool
	Said             string
	Calls            []string
	Cut              bool
}

func meaningOf(t *testing.T, client conversationv1.Wire, answer *wire.Answer) meaning {
	t.Helper()
	m := meaning{Failed: answer.Failure != nil, Finished: answer.Finished}
	if m.Failed || len(answer.Choices) == 0 {
		return m
	}
	choice := answer.Choices[0]
	m.Cut = choice.FinishReason == conversationv1.FinishReason_FINISH_REASON_LENGTH
	for _, part := range choice.Message.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			m.Said += kind.Text
		case *conversationv1.ContentPart_Refusal:
			m.Said += kind.Refusal
		case *conversationv1.ContentPart_ToolCall:
			if client == conversationv1.Wire_WIRE_OLLAMA_GENERATE || client == conversationv1.Wire_WIRE_OPENAI_COMPLETIONS {
				continue // They have none.
			}
			var arguments bytes.Buffer
			if err := json.Compact(&arguments, []byte(kind.ToolCall.GetArgumentsJson())); err != nil {
				t.Fatalf("%v: %v", kind.ToolCall, err)
			}
			m.Calls = append(m.Calls, kind.ToolCall.GetName()+arguments.String())
		}
	}
	return m
}

func same(t *testing.T, client conversationv1.Wire, want, got *wire.Answer) {
	t.Helper()
	if diff := cmp.Diff(meaningOf(t, client, want), meaningOf(t, client, got)); diff != "" {
		t.Errorf("%v says something else (-provider +client)\n%s", client, diff)
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	for number := range conversationv1.Wire_name {
		w := conversationv1.Wire(number)
		if codec, ok := dialects.For(w); ok && codec.Wire() != w {
			t.Errorf("the codec of %v speaks %v", w, codec.Wire())
		}
	}
	for _, w := range clients {
		if _, ok := dialects.For(w); !ok {
			t.Errorf("%v has no codec", w)
		}
	}
}

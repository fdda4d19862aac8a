package dialects_test

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/dialects"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

// JSON of a native client may have space around it.
func TestSpaceAroundSchemas(t *testing.T) {
	t.Parallel()
	for _, w := range []conversationv1.Wire{
		conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES, conversationv1.Wire_WIRE_OPENAI_CHAT, conversationv1.Wire_WIRE_OLLAMA_CHAT,
		conversationv1.Wire_WIRE_OPENAI_RESPONSES, conversationv1.Wire_WIRE_GEMINI_GENERATE, conversationv1.Wire_WIRE_BEDROCK_CONVERSE,
	} {
		codec, _ := dialects.For(w)
		body, _, err := codec.EncodeTurn(&conversationv1.Turn{
			ExtraWire: w,
			Messages:  []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "hi"}}}}},
			Tools:     []*conversationv1.Tool{{Name: "f", ParametersJson: " {\"type\":\"object\"}\n", Strict: proto.Bool(true), Description: "d"}},
		}, wire.TurnOptions{Model: "m"})
		if err != nil || !json.Valid(body) || !strings.Contains(string(body), `{"type":"object"}`) {
			t.Errorf("%v: %s %v", w, body, err)
		}
	}
}

// A thought goes back to who signed it, and to nobody else: whatever the client
// speaks that carried it in between.
func TestThoughtsGoBackToTheirSigner(t *testing.T) {
	t.Parallel()
	answers := map[conversationv1.Wire]string{
		conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES: `{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"c2lnbmVk"},` +
			`{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`,
		conversationv1.Wire_WIRE_GEMINI_GENERATE: `{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"c2lnbmVk"},{"text":"x"}]},` +
			`"finishReason":"STOP"}],"modelVersion":"m"}`,
		conversationv1.Wire_WIRE_OPENAI_RESPONSES: `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[` +
			`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"c2lnbmVk"},` +
			`{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"x","annotations":[]}]}],` +
			`"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`,
	}
	question := &conversationv1.Message{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "hi"}}}}
	for signer, body := range answers {
		from, _ := dialects.For(signer)
		events, err := from.DecodeAnswer([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		answer := wiretest.Assemble(t, events)
		for _, client := range []conversationv1.Wire{
			conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES, conversationv1.Wire_WIRE_OPENAI_RESPONSES, conversationv1.Wire_WIRE_OPENAI_CHAT,
		} {
			shown, _ := dialects.For(client)
			seen, err := shown.EncodeAnswer(answer, wiretest.Options())
			if err != nil {
				t.Fatal(err)
			}
			again, err := shown.DecodeAnswer(seen)
			if err != nil {
				t.Fatal(err)
			}
			history := []*conversationv1.Message{question, wiretest.Assemble(t, again).Choices[0].Message, question}
			for provider := range answers {
				to, _ := dialects.For(provider)
				out, names, err := to.EncodeTurn(&conversationv1.Turn{Messages: history, ExtraWire: client}, wire.TurnOptions{Model: "m"})
				if err != nil {
					t.Fatal(err)
				}
				home := strings.Contains(string(out), `"c2lnbmVk"`)
				if home != (provider == signer) || strings.Contains(string(out), "gptmesh.") || (len(names) > 0) == home {
					t.Errorf("signed by %v, by way of %v, to %v: %s, dropped %q", signer, client, provider, out, names)
				}
			}
		}
	}
}

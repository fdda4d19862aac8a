package anthropic_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/anthropic"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	wireanthropic "github.com/gptmesh/gptmesh/wire/anthropic"
)

func TestBetasGoOnWithARawTurn(t *testing.T) {
	t.Parallel()
	for wire, want := range map[conversationv1.Wire]string{
		conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES: "interleaved-thinking-2025-05-14,other",
		conversationv1.Wire_WIRE_UNSPECIFIED:        "",
	} {
		var got http.Header
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			io.WriteString(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`)
		}))
		defer server.Close()
		doer, err := upstream.New(upstream.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer doer.Close()
		p, err := anthropic.New(transport.Config{Name: "anthropic", BaseURL: server.URL, Doer: doer}, wireanthropic.Messages(), nil)
		if err != nil {
			t.Fatal(err)
		}
		turn := &conversationv1.Turn{Model: "m", Messages: []*conversationv1.Message{{
			Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "hi"}}},
		}}}
		if wire != 0 {
			turn = &conversationv1.Turn{Model: "m", AcceptWire: wire, Raw: &conversationv1.RawTurn{
				Wire: wire, Body: []byte(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`),
				Headers: map[string]string{"anthropic-beta": want, "anthropic-version": "2099-01-01"},
			}}
		}
		if err := p.Generate(t.Context(), &provider.Call{Model: "m", Turn: turn}, func(*conversationv1.Chunk) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got.Get("Anthropic-Beta") != want {
			t.Errorf("wire %v: betas %q, want %q", wire, got.Get("Anthropic-Beta"), want)
		}
		if versions := got.Values("Anthropic-Version"); len(versions) != 1 || versions[0] != anthropic.Version {
			t.Errorf("wire %v: versions %q", wire, versions)
		}
	}
}

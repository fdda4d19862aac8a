package gpt_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt"
)

const responsesWire = conversationv1.Wire_WIRE_OPENAI_RESPONSES

// TestResponsesFindTheirDoor holds that a turn in the dialect of responses goes
// on in it, with what no other dialect has a place for, where the server has it;
// and that other turns go where they always went.
func TestResponsesFindTheirDoor(t *testing.T) {
	t.Parallel()
	stream, err := os.ReadFile("../../wire/responses/testdata/streams/text.sse")
	if err != nil {
		t.Fatal(err)
	}
	const (
		body = `{"model":"x","input":"a","tools":[{"type":"namespace","name":"crm","tools":[{"type":"custom","name":"find"}]}],"odd":1,"store":true}`
		kept = `{"model":"m","input":"a","tools":[{"type":"namespace","name":"crm","tools":[{"type":"custom","name":"find"}]}],"odd":1,"store":false,"stream":true}`
	)
	raw := func(accept conversationv1.Wire) *conversationv1.Turn {
		return &conversationv1.Turn{AcceptWire: accept, Raw: &conversationv1.RawTurn{Wire: responsesWire, Body: []byte(body)}}
	}
	joined := &conversationv1.Turn{
		Messages:  []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "a"}}}}},
		ExtraWire: responsesWire, ExtraJson: `{"prompt_cache_key":"k"}`,
	}
	native := &conversationv1.Turn{Messages: joined.Messages}
	for name, c := range map[string]struct {
		quirks     []string
		turn       *conversationv1.Turn
		path, sent string
		raw        bool
	}{
		"in its own dialect":     {[]string{"responses"}, raw(responsesWire), "/v1/responses", kept, true},
		"for a client of events": {[]string{"responses"}, raw(0), "/v1/responses", kept, false},
		"joined with a history":  {[]string{"responses"}, joined, "/v1/responses", `{"model":"m","input":[{"type":"message","role":"user","content":"a"}],"stream":true,"store":false,"prompt_cache_key":"k"}`, false},
		"a turn of no dialect":   {[]string{"responses"}, native, "/v1/chat/completions", "", false},
		"a server without":       {nil, raw(responsesWire), "/v1/chat/completions", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got seen
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got.note(r)
				if r.URL.Path != "/v1/responses" {
					w.Header().Set("Content-Type", "application/json")
					io.WriteString(w, chatAnswer)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				w.Write(stream)
			}))
			t.Cleanup(server.Close)
			r := start(t, setup{config: func(cfg *gpt.Config) {
				cfg.Providers = map[string]gpt.ProviderConfig{"box": {BaseURL: server.URL + "/v1", Models: []string{"m"}, Quirks: c.quirks}}
			}})
			c.turn.Model, c.turn.Stream = "box/m", c.path == "/v1/responses"
			a := r.generate(t.Context(), &gptv1.GenerateRequest{Turn: c.turn})
			if a.reason() != "finished" {
				t.Fatal(a.err, a.reason())
			}
			if request, _, sent := got.last(); request != "POST "+c.path || c.sent != "" && sent != c.sent {
				t.Errorf("%s\n%s\nwant %s\n%s", request, sent, c.path, c.sent)
			}
			if raw := a.chunks[0].GetRaw() != nil; raw != c.raw || !raw && strings.TrimSpace(a.text()) == "" {
				t.Errorf("raw %v, %v", raw, a.chunks)
			}
		})
	}
}

// TestOnlyOpenAICompacts: what asks for a compacted conversation goes to a server that has
// responses, and is refused by name elsewhere: no call is made whose answer is no good.
func TestOnlyOpenAICompacts(t *testing.T) {
	t.Parallel()
	const body = `{"model":"x","input":[{"role":"user","content":"a"},{"type":"compaction_trigger"}]}`
	for name, c := range map[string]struct {
		quirks []string
		turn   *conversationv1.Turn
		path   string
	}{
		"to its own": {[]string{"responses"}, &conversationv1.Turn{Raw: &conversationv1.RawTurn{Wire: responsesWire, Body: []byte(body)}}, "POST /v1/responses"},
		"translated": {nil, &conversationv1.Turn{Raw: &conversationv1.RawTurn{Wire: responsesWire, Body: []byte(body)}}, ""},
		"joined before": {nil, &conversationv1.Turn{ExtraWire: responsesWire, Messages: []*conversationv1.Message{
			{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "a"}}}},
			{Role: conversationv1.Role_ROLE_ASSISTANT, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Opaque{
				Opaque: &conversationv1.OpaquePart{WireType: "compaction_trigger", Json: `{"type":"compaction_trigger"}`},
			}}}},
		}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got seen
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got.note(r)
				http.Error(w, "{}", http.StatusBadRequest)
			}))
			t.Cleanup(server.Close)
			r := start(t, setup{config: func(cfg *gpt.Config) {
				cfg.Providers = map[string]gpt.ProviderConfig{"box": {BaseURL: server.URL + "/v1", Models: []string{"m"}, Quirks: c.quirks}}
			}})
			c.turn.Model = "box/m"
			a := r.generate(t.Context(), &gptv1.GenerateRequest{Turn: c.turn})
			request, _, sent := got.last()
			if request != c.path || c.path != "" && !strings.Contains(sent, `{"type":"compaction_trigger"}`) {
				t.Errorf("sent %q %s, want %q", request, sent, c.path)
			}
			if c.path == "" && (a.err == nil || !strings.Contains(a.err.Error(), "compaction_trigger")) {
				t.Errorf("got %v, %s", a.err, a.reason())
			}
		})
	}
}

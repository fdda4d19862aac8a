package gpt_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt"
)

const (
	completionsWire = conversationv1.Wire_WIRE_OPENAI_COMPLETIONS
	chatWire        = conversationv1.Wire_WIRE_OPENAI_CHAT
	chatAnswer      = `{"id":"c1","object":"chat.completion","created":7,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"mid"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	textAnswer      = `{"id":"c1","object":"text_completion","created":7,"model":"m-1","choices":[{"text":"mid","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
)

// prompted is a turn as a face for prompts sends it.
func prompted(body string, accept conversationv1.Wire) *gptv1.GenerateRequest {
	return &gptv1.GenerateRequest{Turn: &conversationv1.Turn{
		Model: "box/m", AcceptWire: accept, Raw: &conversationv1.RawTurn{Wire: completionsWire, Body: []byte(body)},
	}}
}

// TestPromptsFindTheirDoor holds where a prompt goes, and in which dialect, by
// what is known of server and model.
func TestPromptsFindTheirDoor(t *testing.T) {
	t.Parallel()
	const (
		gap   = `{"model":"x","prompt":"a","suffix":"b","odd":1,"max_tokens":9}`
		plain = `{"model":"x","prompt":"a","max_tokens":9}`
		chat  = `{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":9,"stream":false}`
	)
	for name, c := range map[string]struct {
		quirks       []string
		capabilities []string
		body         string
		accept       conversationv1.Wire
		path, sent   string
		raw          bool
	}{
		"a server of prompts":     {[]string{"completions"}, nil, gap, completionsWire, "/v1/completions", `{"model":"m","prompt":"a","suffix":"b","odd":1,"max_tokens":9,"stream":false}`, true},
		"for a client of chat":    {[]string{"completions"}, nil, gap, chatWire, "/v1/completions", `{"model":"m","prompt":"a","suffix":"b","odd":1,"max_tokens":9,"stream":false}`, false},
		"DeepSeek":                {[]string{"beta_completions"}, nil, plain, completionsWire, "/v1/beta/completions", `{"model":"m","prompt":"a","max_tokens":9,"stream":false}`, true},
		"Mistral":                 {[]string{"fim_completions"}, nil, gap, chatWire, "/v1/fim/completions", `{"model":"m","prompt":"a","suffix":"b","max_tokens":9,"stream":false,"odd":1}`, true},
		"Mistral without a gap":   {[]string{"fim_completions"}, nil, plain, chatWire, "/v1/chat/completions", chat, true},
		"prompts without gaps":    {[]string{"prompts"}, nil, plain, completionsWire, "/v1/completions", `{"model":"m","prompt":"a","max_tokens":9,"stream":false}`, true},
		"a gap for prompts":       {[]string{"prompts"}, []string{"chat", "fim"}, gap, completionsWire, "", "", false},
		"a model that can":        {nil, []string{"chat", "fim"}, gap, completionsWire, "/v1/completions", `{"model":"m","prompt":"a","suffix":"b","max_tokens":9,"stream":false,"odd":1}`, true},
		"a model that only chats": {nil, nil, plain, completionsWire, "/v1/chat/completions", chat, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got seen
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got.note(r)
				w.Header().Set("Content-Type", "application/json")
				if strings.HasPrefix(r.URL.Path, "/v1/chat/") || strings.HasPrefix(r.URL.Path, "/v1/fim/") {
					io.WriteString(w, chatAnswer)
					return
				}
				io.WriteString(w, textAnswer)
			}))
			t.Cleanup(server.Close)
			r := start(t, setup{config: func(cfg *gpt.Config) {
				cfg.Providers = map[string]gpt.ProviderConfig{"box": {BaseURL: server.URL + "/v1", Models: []string{"m"}, Quirks: c.quirks}}
				if c.capabilities != nil {
					cfg.Models = map[string]gpt.ModelConfig{"box/m": {Capabilities: c.capabilities}}
				}
			}})
			a := r.generate(t.Context(), prompted(c.body, c.accept))
			if c.path == "" {
				if f := fault.From(a.err); a.reason() != "UNSUPPORTED" || f.Metadata["field"] != "suffix" || got.count() > 0 {
					t.Error(a.err, got.count())
				}
				return
			}
			if a.reason() != "finished" {
				t.Fatal(a.err, a.reason())
			}
			if request, _, sent := got.last(); request != "POST "+c.path || sent != c.sent {
				t.Errorf("%s\n%s\nwant %s\n%s", request, sent, c.path, c.sent)
			}
			if raw := a.chunks[0].GetRaw() != nil; raw != c.raw || !raw && a.text() != "mid" {
				t.Errorf("raw %v, %v", raw, a.chunks)
			}
		})
	}
}

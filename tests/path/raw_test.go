package path

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// twin is one dialect on both sides: what the client sends and the provider
// answers, with spacing, order and members that nobody would write anew.
type twin struct {
	name, kind, model string
	face, provider    string // paths
	body              string // of the client; %s is whether it streams, %o more then
	media             string
	stream, whole     string
}

var twins = []twin{
	{
		name: "openai", kind: "openai", model: "twin-o", face: "/v1/chat/completions", provider: "/v1/chat/completions", media: "text/event-stream",
		body: `{ "zeta":1e400,"model" : "twin-o","stream":%s, "messages":[{"role":"user","content":"hi \u00e9"}],%o"top_k":7,"chat_template_kwargs":{"b":1,"a":9007199254740993}}`,
		stream: ": hello\n\ndata: {\"id\":\"c1\", \"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"other\",\"odd\":1.50,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"H\\u00e9\"}}]}\r\n\r\n" +
			"data:{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"other\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
			"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"other\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n\ndata: [DONE]\n\n",
		whole: "{\n  \"id\": \"c1\", \"object\":\"chat.completion\",\"created\":1, \"odd\": 1.50,\"model\":\"other\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"H\\u00e9\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2,\"odd\":[]}}\n",
	},
	{
		name: "anthropic", kind: "anthropic", model: "twin-a", face: "/v1/messages", provider: "/v1/messages", media: "text/event-stream",
		body: `{ "zeta":1e400,"model" : "twin-a","stream":%s, "max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"hi \u00e9","cache_control":{"type":"ephemeral"}}]}],"context_management":{"b":1,"a":9007199254740993}}`,
		stream: "event: message_start\ndata: {\"type\":\"message_start\", \"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"other\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"odd\":1.50,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n" +
			"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n" +
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"H\\u00e9\"}}\n\n" +
			"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n" +
			"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		whole: "{ \"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"other\",\"odd\":1.50,\"content\":[{\"type\":\"text\",\"text\":\"H\\u00e9\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}",
	},
	{
		name: "ollama", kind: "ollama", model: "twin-l", face: "/api/chat", provider: "/api/chat", media: "application/x-ndjson",
		body: `{ "zeta":1e400,"model" : "twin-l","stream":%s, "messages":[{"role":"user","content":"hi \u00e9"}],"options":{"mirostat":2,"a":9007199254740993}}`,
		stream: "{\"model\":\"twin-l\", \"created_at\":\"2026-01-02T03:04:05Z\",\"message\":{\"role\":\"assistant\",\"content\":\"H\\u00e9\"},\"odd\":1.50,\"done\":false}\n" +
			"{\"model\":\"twin-l\",\"created_at\":\"2026-01-02T03:04:06Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":9,\"load_duration\":1,\"prompt_eval_count\":3,\"prompt_eval_duration\":1,\"eval_count\":2,\"eval_duration\":1}\n",
		whole: "{\"model\":\"twin-l\", \"created_at\":\"2026-01-02T03:04:05Z\",\"odd\":1.50,\"message\":{\"role\":\"assistant\",\"content\":\"H\\u00e9\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":9,\"load_duration\":1,\"prompt_eval_count\":3,\"prompt_eval_duration\":1,\"eval_count\":2,\"eval_duration\":1}",
	},
}

// TestRawTwin: with one dialect on both sides the provider's bytes reach the
// client, and the client's the provider, unchanged.
func TestRawTwin(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]string{} // what the provider was sent, by model
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, one := range twins {
			if r.Method != http.MethodPost || r.URL.Path != one.provider || !strings.Contains(string(body), one.model) {
				continue
			}
			mu.Lock()
			got[one.name] = string(body)
			mu.Unlock()
			answer := one.whole
			w.Header().Set("Content-Type", "application/json")
			if strings.Contains(string(body), `"stream":true`) {
				answer = one.stream
				w.Header().Set("Content-Type", one.media)
			}
			_, _ = io.WriteString(w, answer)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"nothing here"}`)
	}))
	defer server.Close()
	providers := map[string]any{}
	for _, one := range twins {
		base := server.URL
		if one.kind == "openai" {
			base += "/v1"
		}
		providers["twin-"+one.name] = map[string]any{"kind": one.kind, "base_url": base, "api_key": "k", "models": []string{one.model}}
	}
	mesh := harness.Start(t, harness.Config{Settings: map[string]any{"gpt": map[string]any{
		"discovery": map[string]any{"enabled": false}, "providers": providers,
	}}})
	for _, one := range twins {
		for stream, want := range map[string]string{"true": one.stream, "false": one.whole} {
			options := ""
			if stream == "true" { // The mesh asks for usage too, and OpenAI takes these with streams alone.
				options = `"stream_options":{"include_usage":true},`
			}
			body := strings.NewReplacer("%s", stream, "%o", options).Replace(one.body)
			resp, err := mesh.HTTP().Post(mesh.URL+one.face, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || string(answer) != want {
				t.Errorf("%s, stream %s: %d %v\n%q\nwant\n%q", one.name, stream, resp.StatusCode, err, answer, want)
			}
			mu.Lock()
			if got[one.name] != body {
				t.Errorf("%s, stream %s: the provider was sent\n%s\nwant\n%s", one.name, stream, got[one.name], body)
			}
			mu.Unlock()
			if dropped := resp.Header.Get("X-Gptmesh-Dropped"); dropped != "" {
				t.Errorf("%s: dropped %s", one.name, dropped)
			}
		}
	}
}

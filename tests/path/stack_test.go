package path

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// maxStack bounds the stack that a process keeps for each stream that waits for its
// provider, in bytes. One is of 8 KB; a stream that waits or works deeper than that has one
// of 16.
const maxStack = 12 << 10

// Thousands of streams wait for most of their time: each must do so on a small stack.
func TestStackOfStreams(t *testing.T) {
	t.Parallel()
	const streams, events = 200, 5
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range events {
			fmt.Fprintf(w, `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"word %d"},"finish_reason":null}]}`+"\n\n", i)
			w.(http.Flusher).Flush()
		}
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(over)
	mesh := harness.Start(t, harness.Config{Settings: map[string]any{"gpt": map[string]any{
		"discovery": map[string]any{"enabled": false},
		"providers": map[string]any{"p": map[string]any{"kind": "openai", "base_url": server.URL + "/v1", "api_key": "k", "models": []string{"m"}}},
	}}})
	body := `{"model":"m","stream":true,"messages":[{"role":"user","content":"` + strings.Repeat("y", 1<<10) + `"}]}`
	begin := func() {
		resp, err := mesh.HTTP().Post(mesh.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		lines := bufio.NewScanner(resp.Body)
		for seen := 0; seen < events && lines.Scan(); {
			if strings.Contains(lines.Text(), `"word `) {
				seen++
			}
		}
	}
	for range 10 {
		begin()
	}
	admin := mesh.Processes[0].Admin
	before := metric(t, admin, "go_memstats_stack_inuse_bytes")
	for range streams {
		begin()
	}
	each := (metric(t, admin, "go_memstats_stack_inuse_bytes") - before) / streams
	t.Logf("%.0f bytes of stack for each stream", each)
	if each > maxStack {
		t.Errorf("%.0f bytes of stack for each stream, want %d at most", each, maxStack)
	}
}

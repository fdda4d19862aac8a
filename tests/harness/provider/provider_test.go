package provider_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness/provider"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	http.DefaultTransport.(*http.Transport).DisableKeepAlives = true
	code := m.Run()
	if code == 0 && goleak.Find() != nil {
		code = 1
	}
	os.Exit(code)
}

func start(t *testing.T) *provider.Provider {
	return provider.Start(t, provider.Config{OpenAI: []string{"g"}, Anthropic: []string{"c"}, Ollama: []string{"l"}})
}

func post(t *testing.T, ctx context.Context, url, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// whole are the calls of every wire.
func whole(p *provider.Provider) map[string]string {
	return map[string]string{
		p.OpenAI.URL + "/v1/chat/completions": `{"model":"g","stream":STREAM,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"[[s]]"}]}`,
		p.Anthropic.URL + "/v1/messages":      `{"model":"c","stream":STREAM,"max_tokens":9,"messages":[{"role":"user","content":"[[s]]"}]}`,
		p.Ollama.URL + "/api/chat":            `{"model":"l","stream":STREAM,"messages":[{"role":"user","content":"[[s]]"}]}`,
	}
}

// Everything that a wire says is JSON, streamed in any pieces or whole.
func TestAnswersAreWellFormed(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Script("s", provider.Script{Split: 3, Steps: []provider.Step{
		provider.Reasoning("why <so>?"), provider.Text("grüß "), provider.Text("\"dich\"\n"), provider.UseTool("call_1", "f", `{"a":`, `1}`),
	}})
	for url, body := range whole(p) {
		resp := post(t, t.Context(), url, strings.ReplaceAll(body, "STREAM", "false"))
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !json.Valid(text) || !strings.Contains(string(text), "grüß ") {
			t.Errorf("%s: %d %v\n%s", url, resp.StatusCode, err, text)
		}
		resp = post(t, t.Context(), url, strings.ReplaceAll(body, "STREAM", "true"))
		lines := bufio.NewScanner(resp.Body)
		count := 0
		for lines.Scan() {
			line, _ := strings.CutPrefix(lines.Text(), "data: ")
			if line == "" || strings.HasPrefix(line, "event: ") || line == "[DONE]" {
				continue
			}
			if count++; !json.Valid([]byte(line)) {
				t.Errorf("%s: %s", url, line)
			}
		}
		if lines.Err() != nil || count < 5 {
			t.Errorf("%s: %d lines, %v", url, count, lines.Err())
		}
	}
	if calls := p.Calls("s"); len(calls) != 6 {
		t.Errorf("%d calls were kept, want 6", len(calls))
	}
}

func TestErrorsAndEnds(t *testing.T) {
	t.Parallel()
	p := start(t)
	for url, body := range whole(p) {
		streamed := strings.ReplaceAll(body, "STREAM", "true")
		p.Script("s", provider.Script{Steps: []provider.Step{provider.RefuseFor(429, "rate_limit_exceeded", "7")}})
		resp := post(t, t.Context(), url, streamed)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
			t.Errorf("%s: %d, Retry-After %q", url, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		p.Script("s", provider.Say("half an").Then(provider.Truncate()))
		for _, b := range []string{streamed, strings.ReplaceAll(body, "STREAM", "false")} {
			if text, err := io.ReadAll(post(t, t.Context(), url, b).Body); err == nil {
				t.Errorf("%s: a truncated answer was read to its end: %s", url, text)
			}
		}
		p.Script("s", provider.Say("half an").Then(provider.Fail("the model fell over")))
		text, err := io.ReadAll(post(t, t.Context(), url, streamed).Body)
		if err != nil || !strings.Contains(string(text), "the model fell over") || strings.Contains(string(text), "[DONE]") {
			t.Errorf("%s: %v\n%s", url, err, text)
		}
	}
}

// A call tells of a client that leaves, before and after the first piece.
func TestClientThatLeaves(t *testing.T) {
	t.Parallel()
	p := start(t)
	n := 0
	for url, body := range whole(p) {
		for _, script := range []provider.Script{provider.Say("one").Then(provider.Stall()), {Steps: []provider.Step{provider.Stall()}}} {
			p.Script("s", script)
			ctx, cancel := context.WithCancel(t.Context())
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(strings.ReplaceAll(body, "STREAM", "true")))
				if resp, err := http.DefaultClient.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}()
			call := p.Await(t, "s", n)
			n++
			cancel()
			call.MustLoseClient(t)
			<-answered
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, url := range []string{p.OpenAI.URL + "/v1/models", p.Anthropic.URL + "/v1/models", p.Ollama.URL + "/api/tags", p.OpenAI.URL + "/v1/models/g"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !json.Valid(text) {
			t.Errorf("%s: %d %s", url, resp.StatusCode, text)
		}
	}
}

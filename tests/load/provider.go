package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialect is a wire of the scripted provider: where the mesh finds it, and how it
// answers. The proxies, which translate nothing, are always asked on OpenAI's wire.
type dialect struct {
	environment func(upstream string) []string
	content     string                        // of a stream
	token       func(text, now string) string // an event of a stream
	begin, end  string                        // events around the tokens
	whole       string                        // an answer with %s for its text
}

// dialects are those that -provider may name.
var dialects = map[string]dialect{
	"openai": {environment: func(upstream string) []string {
		return []string{"OPENAI_API_KEY=k", "OPENAI_BASE_URL=" + upstream + "/v1"}
	}},
	"anthropic": {
		environment: func(upstream string) []string {
			return []string{"ANTHROPIC_API_KEY=k", "ANTHROPIC_BASE_URL=" + upstream}
		},
		content: "text/event-stream",
		begin: anthropicEvent("message_start", `,"message":{"id":"msg_mock","type":"message","role":"assistant","model":"mock","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}`) +
			anthropicEvent("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`),
		token: func(text, _ string) string {
			return anthropicEvent("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"`+text+`"}`)
		},
		end: anthropicEvent("content_block_stop", `,"index":0`) +
			anthropicEvent("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}`) + anthropicEvent("message_stop", ""),
		whole: `{"id":"msg_mock","type":"message","role":"assistant","model":"mock","content":[{"type":"text","text":"%s"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":12}}`,
	},
	"ollama": {
		environment: func(upstream string) []string { return []string{"OLLAMA_HOST=" + upstream} },
		content:     "application/x-ndjson",
		token: func(text, now string) string {
			return `{"model":"mock","created_at":"` + now + `","message":{"role":"assistant","content":"` + text + `"},"done":false}` + "\n"
		},
		end:   `{"model":"mock","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9,"load_duration":1,"prompt_eval_count":9,"prompt_eval_duration":3,"eval_count":200,"eval_duration":5}` + "\n",
		whole: `{"model":"mock","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"%s"},"done":true,"done_reason":"stop","total_duration":9,"load_duration":1,"prompt_eval_count":9,"prompt_eval_duration":3,"eval_count":12,"eval_duration":5}`,
	},
	"gemini": {
		environment: func(upstream string) []string {
			return []string{"GEMINI_API_KEY=k", "GOOGLE_GEMINI_BASE_URL=" + upstream}
		},
		content: "text/event-stream",
		token:   func(text, _ string) string { return geminiEvent(text, "") },
		end:     geminiEvent("", `,"finishReason":"STOP"`),
		whole:   `{"candidates":[{"content":{"parts":[{"text":"%s"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":12,"totalTokenCount":21},"modelVersion":"mock","responseId":"mock"}`,
	},
}

func anthropicEvent(name, members string) string {
	return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + members + "}\n\n"
}

// geminiEvent has counts that grow, as the provider's own do.
func geminiEvent(text, reason string) string {
	return `data: {"candidates":[{"content":{"parts":[{"text":"` + text + `"}],"role":"model"}` + reason + `,"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":` + countMark +
		`,"totalTokenCount":` + totalMark + `,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"mock","responseId":"mock"}` + "\r\n\r\n"
}

// Where a token's number stands in an event, and nine more.
const countMark, totalMark = "<count>", "<total>"

func dialectOf(name string) (string, error) {
	if _, ok := dialects[name]; !ok {
		return "", fmt.Errorf("unknown provider %q: want one of %s", name, strings.Join(slices.Sorted(maps.Keys(dialects)), ", "))
	}
	return name, nil
}

// environmentOf is what a mesh is started with to find the scripted provider.
func environmentOf(provider, upstream string) []string {
	return dialects[cmp.Or(provider, "openai")].environment(upstream)
}

// serveDialects are the provider's other wires. What they are to do stands at the
// beginning of a message: their requests have no member for the user that would reach them.
func serveDialects(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/messages", mockDialect("anthropic"))
	mux.HandleFunc("POST /api/chat", mockDialect("ollama"))
	mux.HandleFunc("POST /v1beta/models/", mockDialect("gemini"))
	list := func(path, text string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
	}
	list("GET /api/tags", `{"models":[{"name":"mock","model":"mock","modified_at":"2026-01-01T00:00:00Z","size":1,"digest":"d","details":{"family":"mock"}}]}`)
	list("POST /api/show", `{"capabilities":["completion"],"details":{"family":"mock"},"model_info":{"general.architecture":"mock","mock.context_length":131072}}`)
	list("GET /api/ps", `{"models":[]}`)
	list("GET /v1beta/models", `{"models":[{"name":"models/mock","displayName":"mock","inputTokenLimit":131072,"outputTokenLimit":8192,"supportedGenerationMethods":["generateContent"]}]}`)
}

func mockDialect(name string) http.HandlerFunc {
	d := dialects[name]
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s := scriptWithin(body)
		if s.first > 0 {
			time.Sleep(s.first)
		}
		streams := bytes.Contains(body, []byte(`"stream":true`)) || strings.Contains(r.URL.Path, ":stream")
		if !streams {
			answer := fmt.Sprintf(d.whole, prose(rand.IntN(1<<20), max(1, s.size-len(d.whole))))
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
			io.WriteString(w, answer)
			return
		}
		w.Header().Set("Content-Type", d.content)
		flush := w.(http.Flusher).Flush
		event := func(text string, n int) {
			io.WriteString(w, strings.NewReplacer(countMark, strconv.Itoa(n), totalMark, strconv.Itoa(n+9)).Replace(text))
		}
		event(d.begin, 0)
		for i := range s.tokens {
			if s.gap > 0 {
				flush()
				time.Sleep(s.gap)
			} else if i%8 == 0 {
				flush()
			}
			now := time.Now()
			event(d.token(strconv.FormatInt(now.UnixNano(), 10)+marker, now.UTC().Format(time.RFC3339Nano)), i+1)
		}
		event(d.end, s.tokens)
	}
}

// scriptWithin finds the script in a body.
func scriptWithin(body []byte) script {
	_, found, _ := bytes.Cut(body, []byte(scriptMark))
	text, _, _ := strings.Cut(string(found[:min(len(found), 200)]), " ")
	return parseScript("?" + text)
}

// scriptMark begins a script within a message; a blank ends it.
const scriptMark = "script?"

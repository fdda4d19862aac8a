package openai_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

const prompts = conversationv1.Wire_WIRE_OPENAI_COMPLETIONS

func said(text string) script {
	return gatewaytest.Chunks(
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Text(text)),
		gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_STOP), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
}

func TestPromptTranscripts(t *testing.T) {
	t.Parallel()
	cut := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the provider cut its answer")
	raw := gatewaytest.Chunks(gatewaytest.Raw(prompts, whole, `{"id":"x", "odd":1.50,"choices":[]}`,
		gatewaytest.Started("m"), gatewaytest.Usage(1, 1), gatewaytest.Finished()))
	for _, c := range []struct {
		name, path, body string
		script           script
	}{
		{"prompt", "/v1/completions", `{"model":"gpt-4.1","prompt":"Say","max_tokens":5}`, said("Hi")},
		{"prompt_raw", "/completions", `{"model":"gpt-4.1","prompt":"Say"}`, raw},
		{"prompt_stream", "/v1/completions", `{"model":"gpt-4.1","prompt":["Say"],"stream":true}`, said("Hi")},
		{"prompt_stream_usage", "/beta/completions", `{"model":"gpt-4.1","prompt":"Say","suffix":".","stream":true,"stream_options":{"include_usage":true}}`, said("Hi")},
		{"prompt_stream_error", "/v1/completions", `{"model":"gpt-4.1","prompt":"Say","stream":true}`, gatewaytest.Chunks(
			gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Text("H")), gatewaytest.Chunk(gatewaytest.Failed(cut)))},
		{"prompt_echo", "/v1/completions", `{"model":"gpt-4.1","prompt":"Say ","echo":true}`, said("Hi")},
		{"prompt_echo_stream", "/v1/completions", `{"model":"gpt-4.1","prompt":"Say ","echo":true,"stream":true}`, said("Hi")},
		{"prompt_tokens", "/v1/completions", `{"model":"gpt-4.1","prompt":[1,2,3]}`, nil},
		{"prompt_best_of", "/v1/completions", `{"model":"gpt-4.1","prompt":"a","best_of":3}`, nil},
		{"prompt_missing", "/v1/completions", `{"model":"gpt-4.1"}`, nil},
		{"prompt_echo_logprobs", "/v1/completions", `{"model":"gpt-4.1","prompt":"a","echo":true,"logprobs":1}`, nil},
		{"prompt_azure", "/openai/deployments/my-gpt/completions?api-version=2024-10-21", `{"prompt":"a"}`, said("Hi")},
		{"fim", "/v1/fim/completions", `{"model":"codestral-latest","prompt":"def f(","suffix":"return"}`, said("x):")},
		{"fim_stream", "/fim/completions", `{"model":"codestral-latest","prompt":"def f(","suffix":"return","stream":true}`, said("x):")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			m.request.Script = c.script
			got := gatewaytest.Transcript(t, gatewaytest.Client(t), gatewaytest.Serve(t, m.edge), "POST", c.path, c.body)
			gatewaytest.Golden(t, c.name+".txt", got)
			last := m.request.Last()
			if (last == nil) != (c.script == nil) {
				t.Fatal("what was refused was submitted, or the reverse")
			}
			if last == nil {
				return
			}
			want := prompts
			switch {
			case strings.Contains(c.name, "fim"):
				want = own
			case strings.Contains(c.name, "echo"):
				want = conversationv1.Wire_WIRE_UNSPECIFIED
			}
			if last.Turn.GetAcceptWire() != want || last.Turn.GetRaw().GetWire() != prompts || strings.Contains(string(last.Turn.GetRaw().GetBody()), "echo") {
				t.Errorf("submitted %v", last.Turn)
			}
			if c.name == "prompt_azure" && last.Turn.GetModel() != "my-gpt" {
				t.Error(last.Turn.GetModel())
			}
		})
	}
}

// answering answers each prompt with itself twice, as two choices.
func answeringPrompts(fail string) script {
	return func(ctx context.Context, r *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
		var body struct{ Prompt string }
		if err := json.Unmarshal(r.Turn.GetRaw().GetBody(), &body); err != nil {
			return err
		}
		if body.Prompt == fail {
			return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, "too long")
		}
		second, ends := gatewaytest.Text(strings.ToUpper(body.Prompt)), gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_LENGTH)
		second.GetText().Choice, ends.GetChoiceFinished().Choice = 1, 1
		return gatewaytest.Chunks(
			gatewaytest.Chunk(gatewaytest.Started("m-1"), gatewaytest.Text(body.Prompt), second),
			gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_STOP), ends, gatewaytest.Usage(3, 2), gatewaytest.Finished()),
		)(ctx, r, sink)
	}
}

type textChunk struct {
	Object  string
	Choices []struct {
		Text         string
		Index        int
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		TotalTokens int `json:"total_tokens"`
	}
	Error *struct{ Code string }
}

func TestSeveralPrompts(t *testing.T) {
	t.Parallel()
	const body = `{"model":"gpt-4.1","prompt":["a","b","c","d","e","f"],"n":2`
	for name, more := range map[string]string{"whole": `}`, "stream": `,"stream":true,"stream_options":{"include_usage":true}}`, "echo": `,"echo":true}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			m.request.Script = answeringPrompts("")
			resp := complete(t, m, body+more)
			var texts [12]string
			var ends [12]string
			total := 0
			for piece := range strings.SplitSeq(resp, "\n\n") {
				piece = strings.TrimPrefix(piece, "data: ")
				if piece == "" || piece == "[DONE]" {
					continue
				}
				var chunk textChunk
				if err := json.Unmarshal([]byte(piece), &chunk); err != nil || chunk.Object != "text_completion" {
					t.Fatal(err, piece)
				}
				for _, c := range chunk.Choices {
					texts[c.Index] += c.Text
					ends[c.Index] += c.FinishReason
				}
				total += chunk.Usage.TotalTokens
			}
			want := "a A b B c C d D e E f F"
			if name == "echo" {
				want = "aa aA bb bB cc cC dd dD ee eE ff fF"
			}
			if got := strings.Join(texts[:], " "); got != want || ends[3] != "length" || ends[4] != "stop" || total != 30 {
				t.Errorf("%q %q %d", got, ends, total)
			}
			if name == "stream" && (!strings.HasSuffix(resp, "data: [DONE]\n\n") || strings.Count(resp, "[DONE]") != 1) {
				t.Error(resp)
			}
		})
	}
}

// complete is the body of an answer to prompts.
func complete(t *testing.T, m *mesh, body string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gatewaytest.Serve(t, m.edge)+"/v1/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := gatewaytest.Client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestSeveralPromptsFailTogether(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"whole":       `{"model":"m","prompt":["a","bad"]}`,
		"stream":      `{"model":"m","prompt":["bad","bad"],"stream":true}`,
		"too many":    `{"prompt":["` + strings.Repeat(`a","`, 16) + `a"]}`,
		"choices":     `{"prompt":["a","b"],"n":100}`,
		"one no text": `{"prompt":["a",1]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			m.request.Script = answeringPrompts("bad")
			var got textChunk
			answer := complete(t, m, body)
			if err := json.Unmarshal([]byte(answer), &got); err != nil || got.Error == nil || got.Error.Code == "" {
				t.Error(err, answer)
			}
		})
	}
	m := newMesh(t, nil)
	if got := complete(t, m, `{"prompt":["a","b"]}`, "X-Gptmesh-Session", "new"); !strings.Contains(got, `"param":"prompt"`) {
		t.Error(got)
	}
}

// TestSeveralPromptsEndTheOthers holds that one prompt's failure ends the calls
// for the rest, and that an error behind the first text is the stream's last word.
func TestSeveralPromptsEndTheOthers(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	began := make(chan struct{})
	var once sync.Once
	m.request.Script = func(ctx context.Context, r *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
		if strings.Contains(string(r.Turn.GetRaw().GetBody()), "bad") {
			<-began
			return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "broken")
		}
		if err := gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Text("H")))(ctx, r, sink); err != nil {
			return err
		}
		once.Do(func() { close(began) })
		<-ctx.Done()
		return ctx.Err()
	}
	got := complete(t, m, `{"model":"m","prompt":["a","bad"],"stream":true}`)
	if !strings.Contains(got, `"text":"H"`) || !strings.HasSuffix(got, "\"code\":\"provider_error\"}}\n\n") {
		t.Error(got)
	}
}

// TestSeveralPromptsAreRequestsOfTheirOwn holds that one key of a client does not
// make two prompts one request.
func TestSeveralPromptsAreRequestsOfTheirOwn(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	var mu sync.Mutex
	keys := map[string]bool{}
	inner := answeringPrompts("")
	m.request.Script = func(ctx context.Context, r *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
		mu.Lock()
		keys[r.IdempotencyKey] = true
		mu.Unlock()
		return inner(ctx, r, sink)
	}
	complete(t, m, `{"model":"m","prompt":["a","b"],"n":2}`, "Idempotency-Key", "k")
	if !keys["k#0"] || !keys["k#1"] || len(keys) != 2 {
		t.Error(keys)
	}
}

package gpt_test

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt"
	"google.golang.org/protobuf/proto"
)

const (
	moderate   = gptv1.Operation_OPERATION_MODERATION
	speak      = gptv1.Operation_OPERATION_AUDIO_SPEECH
	transcribe = gptv1.Operation_OPERATION_AUDIO_TRANSCRIPTION
	pull       = gptv1.Operation_OPERATION_MODEL_PULL
)

// seen is what a scripted server got.
type seen struct {
	mu       sync.Mutex
	requests []string // "POST /v1/moderations"
	types    []string
	bodies   []string
}

func (s *seen) note(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	s.types, s.bodies = append(s.types, r.Header.Get("Content-Type")), append(s.bodies, string(body))
}

func (s *seen) last() (request, contentType, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.requests); n > 0 {
		return s.requests[n-1], s.types[n-1], s.bodies[n-1]
	}
	return "", "", ""
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// forwarded is all of an answer that was passed back.
type forwarded struct {
	status  int32
	headers map[string]string
	pieces  []string
	err     error
}

func (f forwarded) body() string { return strings.Join(f.pieces, "") }

func (f forwarded) reason() string {
	if f.err == nil {
		return ""
	}
	return fault.ReasonName(fault.From(f.err).Reason)
}

func (r *rig) forward(ctx context.Context, req *gptv1.ForwardRequest) (out forwarded) {
	out.err = r.Forward(ctx, req, func(resp *gptv1.ForwardResponse) error {
		if resp.GetStatus() != 0 {
			out.status, out.headers = resp.GetStatus(), proto.CloneOf(resp).GetHeaders()
		}
		if len(resp.GetData()) > 0 {
			out.pieces = append(out.pieces, string(resp.GetData()))
		}
		return nil
	})
	return out
}

// serving is OpenAI's list with answer at every other path.
func serving(s *seen, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"object":"list","data":[{"id":"tts-9"},{"id":"whisper-9"},{"id":"mod-9"}]}`)
			return
		}
		s.note(r)
		answer(w, r)
	}
}

func answering(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestForwardPassesBackAsItIs(t *testing.T) {
	t.Parallel()
	var got seen
	r := start(t, setup{env: openai(t, serving(&got, answering(200, "\x00mp3\xff", "Content-Type", "audio/mpeg",
		"X-Ratelimit-Remaining-Requests", "41", "Openai-Organization", "org-secret", "Openai-Processing-Ms", "9", "Set-Cookie", "a=b")))})
	body := `{"voice":"x", "model":"tts-9","input":"hi","odd":1e400}`
	out := r.forward(t.Context(), &gptv1.ForwardRequest{Operation: speak, Model: "tts-9", ContentType: "text/plain", Body: []byte(body), RequestId: "req_7"})
	if out.err != nil || out.status != 200 || out.body() != "\x00mp3\xff" {
		t.Fatal(out)
	}
	want := map[string]string{"content-type": "audio/mpeg", "x-ratelimit-remaining-requests": "41"}
	if len(out.headers) != 2 || out.headers["content-type"] != want["content-type"] || out.headers["x-ratelimit-remaining-requests"] != "41" {
		t.Errorf("headers %v", out.headers)
	}
	if request, contentType, sent := got.last(); request != "POST /v1/audio/speech" || contentType != "application/json" || sent != body {
		t.Errorf("%s %s %s", request, contentType, sent)
	}
	row := r.only(t)
	if row.GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED || row.GetRequestId() != "req_7" || row.GetModel() != "tts-9" ||
		row.GetUsage().GetSource().String() != "USAGE_SOURCE_ESTIMATED" || row.GetUsage().GetInputTokens() != 1 || row.GetUsage().GetOutputTokens() != 0 {
		t.Error(row)
	}
}

// What a provider counts of a call that is passed on is in the ledger.
func TestForwardedUsageIsKept(t *testing.T) {
	t.Parallel()
	picture := `{"created":1,"data":[{"b64_json":"` + strings.Repeat("A", 100_000) + `"}],"usage":{"total_tokens":60,"input_tokens":11,"output_tokens":49,` +
		`"input_tokens_details":{"text_tokens":11,"image_tokens":0}}}`
	speech := "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AA\"}\n\ndata: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":14,\"output_tokens\":101,\"total_tokens\":115}}\n\n"
	for name, c := range map[string]struct {
		operation     gptv1.Operation
		answer        string
		input, output int64
		source        string
	}{
		"image":      {gptv1.Operation_OPERATION_IMAGE_GENERATION, picture, 11, 49, "USAGE_SOURCE_PROVIDER"},
		"speech":     {speak, speech, 14, 101, "USAGE_SOURCE_PROVIDER"},
		"seconds":    {speak, `{"text":"x","usage":{"type":"duration","seconds":7}}`, 1, 0, "USAGE_SOURCE_ESTIMATED"},
		"cut usage":  {speak, `{"usage":{"input_tokens":1`, 1, 0, "USAGE_SOURCE_ESTIMATED"},
		"none":       {speak, `{}`, 1, 0, "USAGE_SOURCE_ESTIMATED"},
		"odd counts": {speak, `{"usage":{"input_tokens":-4,"output_tokens":"9"}}`, 1, 0, "USAGE_SOURCE_ESTIMATED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got seen
			r := start(t, setup{env: openai(t, serving(&got, answering(200, c.answer, "Content-Type", "application/json")))})
			if out := r.forward(t.Context(), &gptv1.ForwardRequest{Operation: c.operation, Model: "tts-9", Body: []byte(`{"model":"tts-9","input":"hi"}`)}); out.err != nil || out.body() != c.answer {
				t.Fatal(out)
			}
			if u := r.only(t).GetUsage(); u.GetInputTokens() != c.input || u.GetOutputTokens() != c.output || u.GetSource().String() != c.source {
				t.Error(u)
			}
		})
	}
}

func TestForwardRenamesTheModel(t *testing.T) {
	t.Parallel()
	var got seen
	r := start(t, setup{
		env:    openai(t, serving(&got, answering(200, "{}"))),
		config: func(c *gpt.Config) { c.Aliases = map[string]string{"voice": "tts-9", "ears": "openai/whisper-9"} },
	})
	out := r.forward(t.Context(), &gptv1.ForwardRequest{Operation: speak, Model: "voice", Body: []byte(`{"a":1, "model" : "voice","b":[2]}`)})
	if _, _, sent := got.last(); out.err != nil || sent != `{"a":1, "model" : "tts-9","b":[2]}` {
		t.Error(out, sent)
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("model", "ears"); err != nil {
		t.Fatal(err)
	}
	file, err := w.CreateFormFile("file", "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	file.Write([]byte("RIFF\r\n--\x00"))
	w.Close()
	out = r.forward(t.Context(), &gptv1.ForwardRequest{Operation: transcribe, Model: "ears", ContentType: w.FormDataContentType(), Body: form.Bytes()})
	_, contentType, sent := got.last()
	_, params, err := mime.ParseMediaType(contentType)
	if out.err != nil || err != nil {
		t.Fatal(out, err)
	}
	read, err := multipart.NewReader(strings.NewReader(sent), params["boundary"]).ReadForm(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := read.File["file"][0].Open()
	if err != nil {
		t.Fatal(err)
	}
	data, _ := io.ReadAll(opened)
	if read.Value["model"][0] != "whisper-9" || string(data) != "RIFF\r\n--\x00" {
		t.Errorf("%v %q", read.Value, data)
	}
	// Without a model there is one provider that can moderate.
	if out := r.forward(t.Context(), &gptv1.ForwardRequest{Operation: moderate, Body: []byte(`{"input":"x"}`)}); out.err != nil {
		t.Error(out)
	}
	if request, _, sent := got.last(); request != "POST /v1/moderations" || sent != `{"input":"x"}` {
		t.Error(request, sent)
	}
}

func TestForwardStreams(t *testing.T) {
	t.Parallel()
	var got seen
	next := make(chan struct{})
	r := start(t, setup{env: openai(t, serving(&got, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range []string{"data: 1\n\n", "data: 2\n\n"} {
			io.WriteString(w, piece)
			w.(http.Flusher).Flush()
			<-next // until the client has it
		}
	}))})
	var pieces []string
	err := r.Forward(t.Context(), &gptv1.ForwardRequest{Operation: speak, Model: "tts-9", Body: []byte(`{"model":"tts-9"}`)}, func(resp *gptv1.ForwardResponse) error {
		if len(resp.GetData()) > 0 {
			pieces = append(pieces, string(resp.GetData()))
			next <- struct{}{}
		}
		return nil
	})
	if err != nil || strings.Join(pieces, "|") != "data: 1\n\n|data: 2\n\n" {
		t.Error(err, pieces)
	}
}

func TestForwardErrorsOfProviders(t *testing.T) {
	t.Parallel()
	const words = `{"error":{"message":"bad voice sk-secret-key-1","type":"invalid_request_error"}}`
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		status  int32
		reason  string
		calls   int
		outcome gptv1.Attempt_Outcome
	}{
		"own fault":  {answering(400, words), 400, "", 1, gptv1.Attempt_OUTCOME_FAILED},
		"no model":   {answering(404, `{"error":{"message":"The model x does not exist","code":"model_not_found"}}`), 404, "", 1, gptv1.Attempt_OUTCOME_FAILED},
		"no path":    {answering(404, `{"detail":"Not Found"}`), 0, "UNSUPPORTED", 1, gptv1.Attempt_OUTCOME_FAILED},
		"no method":  {answering(405, ``), 0, "UNSUPPORTED", 1, gptv1.Attempt_OUTCOME_FAILED},
		"key":        {answering(401, words), 0, "PROVIDER_REFUSED_KEY", 1, gptv1.Attempt_OUTCOME_FAILED},
		"forbidden":  {answering(403, words), 0, "PROVIDER_REFUSED_KEY", 1, gptv1.Attempt_OUTCOME_FAILED},
		"no credit":  {answering(402, words), 0, "PROVIDER_REFUSED_KEY", 1, gptv1.Attempt_OUTCOME_FAILED},
		"rate":       {answering(429, words, "Retry-After", "90"), 0, "PROVIDER_RATE_LIMITED", 1, gptv1.Attempt_OUTCOME_FAILED},
		"trouble":    {answering(500, words), 0, "PROVIDER_ERROR", 1, gptv1.Attempt_OUTCOME_FAILED},
		"redirect":   {answering(302, words), 0, "PROVIDER_PROTOCOL", 1, gptv1.Attempt_OUTCOME_FAILED},
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "PROVIDER_UNREACHABLE", 1, gptv1.Attempt_OUTCOME_UNKNOWN},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, 200, "STREAM_TRUNCATED", 1, gptv1.Attempt_OUTCOME_FAILED},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got seen
			r := start(t, setup{env: openai(t, serving(&got, c.answer))})
			out := r.forward(t.Context(), &gptv1.ForwardRequest{Operation: speak, Model: "tts-9", Body: []byte(`{"model":"tts-9"}`)})
			if out.status != c.status || out.reason() != c.reason || got.count() != c.calls {
				t.Errorf("status %d, %v, %d calls", out.status, out.err, got.count())
			}
			if strings.Contains(out.body(), "sk-secret") || out.err != nil && strings.Contains(out.err.Error(), "secret") {
				t.Error("the key got out")
			}
			if fate := fault.From(out.err); out.err != nil && (fate.Metadata["outcome"] == fault.OutcomeUnknown) != (c.outcome == gptv1.Attempt_OUTCOME_UNKNOWN) {
				t.Errorf("the client is told otherwise than the ledger: %v", fate.Metadata)
			}
			if c.reason == "UNSUPPORTED" && out.err.Error() != "UNSUPPORTED: the provider openai cannot do audio speech, asked for with the model tts-9" {
				t.Error(out.err)
			}
			if row := r.only(t); row.GetOutcome() != c.outcome {
				t.Error(row)
			}
		})
	}
}

func TestForwardCancelClosesTheProvider(t *testing.T) {
	t.Parallel()
	for name, first := range map[string][]string{"before the answer": nil, "within it": {"a"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got seen
			reached, gone := make(chan struct{}), make(chan struct{})
			r := start(t, setup{env: openai(t, serving(&got, func(w http.ResponseWriter, req *http.Request) {
				close(reached)
				hang(gone, first...)(w, req)
			}))})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				<-reached
				if first == nil {
					cancel()
				}
			}()
			err := r.Forward(ctx, &gptv1.ForwardRequest{Operation: speak, Model: "tts-9", Body: []byte(`{"model":"tts-9"}`)}, func(resp *gptv1.ForwardResponse) error {
				if len(resp.GetData()) > 0 {
					cancel()
				}
				return nil
			})
			if fault.ReasonName(fault.From(err).Reason) != "CANCELLED" {
				t.Error(err)
			}
			<-gone
			if row := r.only(t); row.GetOutcome() != gptv1.Attempt_OUTCOME_CANCELLED {
				t.Error(row)
			}
		})
	}
}

func TestForwardRefuses(t *testing.T) {
	t.Parallel()
	var got seen
	r := start(t, setup{env: openai(t, serving(&got, answering(200, "{}")))})
	for name, c := range map[string]struct {
		req  *gptv1.ForwardRequest
		want string
	}{
		"nothing":   {&gptv1.ForwardRequest{}, "INVALID_FIELD operation"},
		"test":      {&gptv1.ForwardRequest{Operation: speak, Model: "echo", Body: []byte("{}")}, "UNSUPPORTED model"},
		"no server": {&gptv1.ForwardRequest{Operation: pull, Model: "llama3", Body: []byte("{}")}, "UNSUPPORTED model"},
		"unknown":   {&gptv1.ForwardRequest{Operation: speak, Model: "nope", Body: []byte("{}")}, "MODEL_NOT_FOUND "},
		"no JSON":   {&gptv1.ForwardRequest{Operation: speak, Model: "tts-9", Body: []byte("a=b")}, "MALFORMED_BODY "},
		"twice":     {&gptv1.ForwardRequest{Operation: speak, Model: "tts-9", Body: []byte(`{"model":"a","model":"b"}`)}, "DUPLICATE_FIELD model"},
		"no form":   {&gptv1.ForwardRequest{Operation: transcribe, Model: "tts-9", ContentType: "multipart/form-data; boundary=x", Body: []byte("--y")}, "MALFORMED_BODY "},
		"digest":    {&gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_BLOB_CHECK, Digest: "sha256:../../x"}, "INVALID_FIELD digest"},
	} {
		out := r.forward(t.Context(), c.req)
		f := fault.From(out.err)
		if out.err == nil || fault.ReasonName(f.Reason)+" "+f.Metadata["field"] != c.want {
			t.Errorf("%s: %v, want %s", name, out.err, c.want)
		}
	}
	if got.count() > 0 || len(r.attempts(t)) > 0 {
		t.Errorf("%d calls, %d rows", got.count(), len(r.attempts(t)))
	}
}

// ollama is a scripted server with one model after pulls.
func ollamaServer(t *testing.T, got *seen) string {
	t.Helper()
	var mu sync.Mutex
	models := `{"models":[{"name":"old:latest","model":"old:latest","size":1,"digest":"d","details":{"family":"f"},"capabilities":["completion"]}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.URL.Path {
		case "/api/tags":
			io.WriteString(w, models)
			return
		case "/api/show", "/api/ps", "/api/version":
			io.WriteString(w, `{}`)
			return
		}
		got.note(r)
		switch r.URL.Path {
		case "/api/pull":
			w.Header().Set("Content-Type", "application/x-ndjson")
			models = strings.ReplaceAll(models, "old", "new")
			for _, line := range []string{`{"status":"pulling manifest"}`, `{"status":"success"}`} {
				io.WriteString(w, line+"\n")
				w.(http.Flusher).Flush()
			}
		case "/api/delete":
			w.WriteHeader(404)
			io.WriteString(w, `{"error":"model 'x' not found"}`)
		default:
			if r.Method == http.MethodHead {
				w.WriteHeader(404)
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestForwardToOllama(t *testing.T) {
	t.Parallel()
	var got seen
	r := start(t, setup{env: map[string]string{"OLLAMA_HOST": ollamaServer(t, &got)}})
	digest := "sha256:" + strings.Repeat("0a", 32)
	for _, c := range []struct {
		req           *gptv1.ForwardRequest
		request, body string
		status        int32
		answer        string
	}{
		{&gptv1.ForwardRequest{Operation: pull, Model: "ollama/new", Body: []byte(`{"model":"","name":"ollama/new"}`)},
			"POST /api/pull", `{"model":"","name":"new"}`, 200, "{\"status\":\"pulling manifest\"}\n{\"status\":\"success\"}\n"},
		{&gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_MODEL_COPY, Model: "new", Body: []byte(`{"source":"new","destination":"b"}`)},
			"POST /api/copy", `{"source":"new:latest","destination":"b"}`, 200, ""},
		{&gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_MODEL_DELETE, Model: "x", Body: []byte(`{"name":"x"}`)},
			"DELETE /api/delete", `{"name":"x"}`, 404, `{"error":"model 'x' not found"}`},
		{&gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_BLOB_CHECK, Digest: digest}, "HEAD /api/blobs/" + digest, "", 404, ""},
		{&gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_BLOB_PUT, Digest: digest, Body: []byte("GGUF")}, "POST /api/blobs/" + digest, "GGUF", 200, ""},
	} {
		out := r.forward(t.Context(), c.req)
		if request, _, body := got.last(); out.err != nil || out.status != c.status || out.body() != c.answer || request != c.request || body != c.body {
			t.Errorf("%v: %v; sent %s %s", c.req.GetOperation(), out, request, body)
		}
	}
	// What was pulled is there at once, and nothing of it costs money.
	if resp, err := r.GetModel(t.Context(), &gptv1.GetModelRequest{Model: "new"}); err != nil || resp.GetModel().GetId() != "new:latest" {
		t.Error(resp, err)
	}
	if rows := r.attempts(t); len(rows) > 0 {
		t.Error(rows)
	}
}

func TestForwardBetweenTwoServers(t *testing.T) {
	t.Parallel()
	var one, two seen
	r := start(t, setup{config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{
			"box": {Kind: "ollama", BaseURL: ollamaServer(t, &one)}, "rack": {Kind: "ollama", BaseURL: ollamaServer(t, &two)},
		}
	}})
	out := r.forward(t.Context(), &gptv1.ForwardRequest{Operation: pull, Model: "fresh", Body: []byte(`{"model":"fresh"}`)})
	if out.reason() != "NO_DEFAULT_MODEL" || !strings.Contains(out.err.Error(), "box, rack") || one.count()+two.count() > 0 {
		t.Error(out)
	}
	out = r.forward(t.Context(), &gptv1.ForwardRequest{Operation: pull, Model: "rack/fresh", Body: []byte(`{"model":"rack/fresh"}`)})
	if _, _, body := two.last(); out.err != nil || one.count() > 0 || body != `{"model":"fresh"}` {
		t.Error(out, body)
	}
}

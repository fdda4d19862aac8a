package ollama_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// server is an Ollama server behind the mesh.
func server(got *gptv1.ForwardRequest, err error, status int32, media string, lines ...string) func(context.Context, *gptv1.ForwardRequest, func(*gptv1.ForwardResponse) error) error {
	return func(_ context.Context, r *gptv1.ForwardRequest, sink func(*gptv1.ForwardResponse) error) error {
		got.Operation, got.Model, got.Digest, got.Body = r.GetOperation(), r.GetModel(), r.GetDigest(), r.GetBody()
		if status == 0 {
			return err
		}
		if err := sink(&gptv1.ForwardResponse{Status: status, Headers: map[string]string{"content-type": media}}); err != nil {
			return err
		}
		for _, line := range lines {
			if err := sink(&gptv1.ForwardResponse{Data: []byte(line + "\n")}); err != nil {
				return err
			}
		}
		return err
	}
}

func TestManageTranscripts(t *testing.T) {
	t.Parallel()
	const lines = "application/x-ndjson"
	digest := "sha256:" + strings.Repeat("ab", 32)
	cut := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the provider cut its answer")
	several := fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL, "several providers can do model pull (box, rack)")
	for _, c := range []struct {
		name, method, path, body string
		err                      error
		status                   int32
		media                    string
		lines                    []string
		operation                gptv1.Operation
		model                    string
	}{
		{"pull_new", "POST", "/api/pull", `{"model":"qwen3","stream":true}`, nil, 200, lines, []string{`{"status":"pulling manifest"}`, `{"status":"success"}`},
			gptv1.Operation_OPERATION_MODEL_PULL, "qwen3"},
		{"pull_again", "POST", "/api/pull", `{"name":"LLAMA3.2"}`, nil, 200, lines, []string{`{"status":"success"}`}, gptv1.Operation_OPERATION_MODEL_PULL, "llama3.2:latest"},
		{"pull_broken_off", "POST", "/api/pull", `{"name":"qwen3"}`, cut, 200, lines, []string{`{"status":"pulling manifest"}`}, gptv1.Operation_OPERATION_MODEL_PULL, "qwen3"},
		{"pull_several", "POST", "/api/pull", `{"name":"qwen3"}`, several, 0, "", nil, gptv1.Operation_OPERATION_MODEL_PULL, "qwen3"},
		{"pull_reachable", "POST", "/api/pull", `{"model":"","name":"gpt-4.1"}`, nil, 0, "", nil, 0, ""},
		{"pull_reachable_whole", "POST", "/api/pull", `{"name":"GPT-4.1","stream":false}`, nil, 0, "", nil, 0, ""},
		{"pull_nothing", "POST", "/api/pull", `{}`, nil, 0, "", nil, 0, ""},
		{"push", "POST", "/api/push", `{"name":"me/x"}`, nil, 200, lines, []string{`{"status":"success"}`}, gptv1.Operation_OPERATION_MODEL_PUSH, "me/x"},
		{"create", "POST", "/api/create", `{"model":"y","from":"llama3.2"}`, nil, 200, lines, []string{`{"status":"success"}`}, gptv1.Operation_OPERATION_MODEL_CREATE, "y"},
		{"copy", "POST", "/api/copy", `{"source":"llama3.2","destination":"z"}`, nil, 200, "", nil, gptv1.Operation_OPERATION_MODEL_COPY, "llama3.2"},
		{"copy_nothing", "POST", "/api/copy", `{"destination":"z"}`, nil, 0, "", nil, 0, ""},
		{"copy_not_json", "POST", "/api/copy", `x`, nil, 0, "", nil, 0, ""},
		{"delete_refused", "DELETE", "/api/delete", `{"name":"w"}`, nil, 404, "application/json", []string{`{"error":"model 'w' not found"}`}, gptv1.Operation_OPERATION_MODEL_DELETE, "w"},
		{"blob_missing", "HEAD", "/api/blobs/" + digest, "", nil, 404, "", nil, gptv1.Operation_OPERATION_BLOB_CHECK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			got := &gptv1.ForwardRequest{}
			m.gpt.ForwardFunc = server(got, c.err, c.status, c.media, c.lines...)
			gatewaytest.Golden(t, c.name+".txt", m.transcript(t, c.method, c.path, c.body, "Content-Type", "application/x-www-form-urlencoded"))
			if got.GetOperation() != c.operation || c.model != "" && got.GetModel() != c.model && got.GetModel() != c.model+":latest" {
				t.Error(got)
			}
			if c.operation != 0 && (string(got.GetBody()) != c.body || strings.HasPrefix(c.name, "blob") && got.GetDigest() != digest) {
				t.Error(got)
			}
		})
	}
}

func TestBlobs(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("ab", 32)
	m := newMesh(t, nil)
	m.gpt.UploadFunc = func(_ context.Context, source func() (*gptv1.UploadRequest, error)) (*gptv1.UploadResponse, error) {
		var sum, most int
		for first := true; ; first = false {
			piece, err := source()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if first != (piece.GetDigest() == digest && piece.GetOperation() == gptv1.Operation_OPERATION_BLOB_PUT && piece.GetRequestId() != "") {
				t.Errorf("first %v: %v", first, piece.GetDigest())
			}
			sum, most = sum+len(piece.GetData()), max(most, len(piece.GetData()))
		}
		if most > 1<<20 {
			t.Errorf("a piece of %d bytes", most)
		}
		return &gptv1.UploadResponse{Status: 201, Headers: map[string]string{"x-sum": strconv.Itoa(sum)}}, nil
	}
	gatewaytest.Golden(t, "blob_put.txt", m.transcript(t, "POST", "/api/blobs/"+digest, "GGUF", "Content-Type", "application/x-www-form-urlencoded"))

	// Longer than any other body may be, and not known beforehand how long.
	for _, length := range []int64{0, 40 << 20} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", m.url+"/api/blobs/"+digest, io.LimitReader(zeros{}, length))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 201 || resp.Header.Get("X-Sum") != strconv.FormatInt(length, 10) {
			t.Errorf("%d bytes: %v", length, resp)
		}
	}

	// A body that is cut is never taken for whole.
	cut := make(chan error, 1)
	m.gpt.UploadFunc = func(_ context.Context, source func() (*gptv1.UploadRequest, error)) (*gptv1.UploadResponse, error) {
		for {
			if _, err := source(); err != nil {
				cut <- err
				return nil, err
			}
		}
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "POST /api/blobs/"+digest+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nGGUF")
	conn.Close()
	if err := <-cut; err == io.EOF || !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY) {
		t.Errorf("a cut body ended with %v", err)
	}
}

// zeros reads without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestRunAModel holds what "ollama run M hi" and "ollama run M" ask for, for a
// model of a provider that is no Ollama server.
func TestRunAModel(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.request.Script = gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Reasoning("hm"), gatewaytest.Text("Hello"),
		gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_STOP), gatewaytest.Usage(1, 1), gatewaytest.Finished()))
	for _, step := range []struct{ method, path, body, want string }{
		{"HEAD", "/", "", ""},
		{"POST", "/api/show", `{"model":"","system":"","template":"","verbose":false,"options":null,"name":"gpt-4.1"}`, `"capabilities":["completion","tools","vision","thinking"]`},
		{"POST", "/api/generate", `{"model":"gpt-4.1","prompt":"","suffix":"","system":"","template":"","stream":null,"options":{},"think":true}`, `"done_reason":"load"`},
		{"POST", "/api/generate", `{"model":"gpt-4.1","prompt":"hi","suffix":"","system":"","template":"","options":{},"think":true}`, `"response":"Hello"`},
		{"POST", "/api/chat", `{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}],"format":"","options":{},"think":true}`, `"content":"Hello"`},
		{"POST", "/api/pull", `{"model":"","insecure":false,"username":"","password":"","name":"gpt-4.1"}`, `{"status":"success"}`},
		{"GET", "/api/ps", "", `"models":[`},
		{"GET", "/api/tags", "", `"name":"gpt-4.1"`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), step.method, m.url+step.path, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), step.want) {
			t.Errorf("%s %s: %s %s", step.method, step.path, resp.Status, body)
		}
	}
}

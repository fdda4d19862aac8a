package anthropic_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// Each bad input gets an error in Anthropic's shape, and no room is called.
func TestBadInput(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	m := newMesh(t, setup{edge: func(c *edge.Config) { c.BodyLimit = limit }})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 4*limit))
	_ = z.Close()
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		kind    string
		names   string
	}{
		"not JSON":            {`{"model":`, nil, 400, "invalid_request_error", ""},
		"no object":           {`[]`, nil, 400, "invalid_request_error", ""},
		"empty":               {``, nil, 400, "invalid_request_error", ""},
		"behind the value":    {`{"model":"m","max_tokens":1,` + messages + `} {}`, nil, 400, "invalid_request_error", ""},
		"not UTF-8":           {"{\"model\":\"a\xff\",\"max_tokens\":1," + messages + "}", nil, 400, "invalid_request_error", ""},
		"too deep":            {`{"x":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`, nil, 400, "invalid_request_error", ""},
		"model of a number":   {`{"model":7,"max_tokens":1,` + messages + `}`, nil, 400, "invalid_request_error", "model"},
		"stream of a text":    {`{"model":"m","stream":"yes","max_tokens":1,` + messages + `}`, nil, 400, "invalid_request_error", "stream"},
		"no max_tokens":       {`{"model":"m",` + messages + `}`, nil, 400, "invalid_request_error", "max_tokens"},
		"max_tokens of 0":     {`{"model":"m","max_tokens":0,` + messages + `}`, nil, 400, "invalid_request_error", "max_tokens"},
		"max_tokens too big":  {`{"model":"m","max_tokens":1e99,` + messages + `}`, nil, 400, "invalid_request_error", "max_tokens"},
		"model twice":         {`{"model":"a","model":"b","max_tokens":1,` + messages + `}`, nil, 400, "invalid_request_error", "model"},
		"messages twice":      {`{"model":"a","max_tokens":1,` + messages + `,` + messages + `}`, nil, 400, "invalid_request_error", "messages"},
		"an odd session":      {`{"model":"m","max_tokens":1,"metadata":{"gptmesh_session":"a b"},` + messages + `}`, nil, 400, "invalid_request_error", "metadata.gptmesh_session"},
		"too large":           {`{"x":"` + strings.Repeat("x", limit) + `"}`, nil, 413, "request_too_large", ""},
		"a bomb":              {bomb.String(), []string{"Content-Encoding", "gzip"}, 413, "request_too_large", ""},
		"not gzip":            {`{}`, []string{"Content-Encoding", "gzip"}, 400, "invalid_request_error", ""},
		"an unknown encoding": {`{}`, []string{"Content-Encoding", "br"}, 415, "invalid_request_error", ""},
		"a long beta":         {ask, []string{"Anthropic-Beta", strings.Repeat("b", 5000)}, 400, "invalid_request_error", "anthropic-beta"},
		"a beta of bytes":     {ask, []string{"Anthropic-Beta", "a\xff"}, 400, "invalid_request_error", "anthropic-beta"},
		"a version of bytes":  {ask, []string{"Anthropic-Version", "é"}, 400, "invalid_request_error", "anthropic-version"},
		"an odd user":         {ask, []string{"X-Gptmesh-User", strings.Repeat("u", 129)}, 400, "invalid_request_error", "X-Gptmesh-User"},
		"an odd cache":        {ask, []string{"X-Gptmesh-Cache", "-1"}, 400, "invalid_request_error", "X-Gptmesh-Cache"},
		"an odd deadline":     {ask, []string{"X-Request-Timeout", "x"}, 400, "invalid_request_error", "X-Request-Timeout"},
	} {
		for _, path := range []string{"/v1/messages", "/v1/messages/count_tokens"} {
			if path != "/v1/messages" && !strings.Contains("not JSON, no object, not UTF-8, too deep, model twice, too large, a bomb", name) {
				continue
			}
			w := post(m, path, c.body, append(c.headers, id...)...)
			var out struct {
				Type      string
				Error     struct{ Type, Message string }
				RequestID string `json:"request_id"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != c.status || out.Type != "error" || out.Error.Type != c.kind ||
				out.RequestID != "rid_1" || w.Header().Get("Request-Id") != "rid_1" || !strings.Contains(out.Error.Message, c.names) {
				t.Errorf("%s, %s: %d %s", name, path, w.Code, w.Body)
			}
		}
	}
	if m.request.Last() != nil {
		t.Error("a room was called")
	}
}

// Whatever a client sends, it is answered with a message or with an error in
// the face's shape.
func FuzzMessages(f *testing.F) {
	f.Add(ask, "2023-06-01", "a,b")
	f.Add(askImage, "", "")
	f.Add(codeRequest(codeUser), "2023-06-01", "claude-code-20250219")
	f.Add(`{"model":"m","max_tokens":1,"metadata":{"user_id":"\ud800","gptmesh_session":"s"},"messages":[]}`, "\xff", "\x00")
	f.Add(`{"max_tokens":1,"metadata":{"user_id":"a","user_id":"b"},"metadata":{}}`, "é", ",,")
	m := newMesh(f, setup{})
	m.request.Script = overOpenAI(func([]byte) string { return chunks("stop", `{"content":"x"}`) })
	m.gpt.count = func(_ context.Context, request *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
		return &gptv1.CountTokensResponse{InputTokens: int64(len(request.GetTurn().GetMessages()))}, nil
	}
	f.Fuzz(func(t *testing.T, body, version, beta string) {
		for _, path := range []string{"/v1/messages", "/v1/messages/count_tokens"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.Host = "localhost"
			r.Header.Set("Anthropic-Version", version)
			r.Header.Set("Anthropic-Beta", beta)
			w := httptest.NewRecorder()
			m.edge.ServeHTTP(w, r)
			switch {
			case w.Header().Get("Content-Type") == "text/event-stream":
				if _, err := accumulate(w.Body.String()); err != nil {
					t.Fatal(err)
				}
			case !json.Valid(w.Body.Bytes()):
				t.Fatalf("%d %s", w.Code, w.Body)
			case w.Code != 200 && !strings.HasPrefix(w.Body.String(), `{"type":"error","error":{"type":"`):
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
	})
}

func FuzzModelsPage(f *testing.F) {
	f.Add("1", "bare", "")
	f.Add("-1", "", "claude-sonnet-4-5")
	f.Add("9999999999999999999", "x", "y")
	m := newMesh(f, setup{})
	f.Fuzz(func(t *testing.T, limit, after, before string) {
		r := httptest.NewRequest("GET", "/v1/models", nil)
		r.Host = "localhost"
		r.Header.Set("Anthropic-Version", "2023-06-01")
		query := r.URL.Query()
		query.Set("limit", limit)
		query.Set("after_id", after)
		query.Set("before_id", before)
		r.URL.RawQuery = query.Encode()
		w := httptest.NewRecorder()
		m.edge.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

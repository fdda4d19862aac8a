package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/gateway"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// endpoint is one that takes a body of JSON.
type endpoint struct {
	method, path string
	shape        func(body []byte) bool
	// rest is what a body needs beside a model, written as members.
	rest string
	// noModel endpoints name none; at some an empty body is fine.
	noModel, emptyIsFine bool
}

func openaiShape(body []byte) bool {
	var out struct {
		Error *struct {
			Message, Type string
			Param, Code   *string
		}
	}
	return json.Unmarshal(body, &out) == nil && out.Error != nil && out.Error.Message != "" && out.Error.Type != "" &&
		bytes.Contains(body, []byte(`"param":`)) && bytes.Contains(body, []byte(`"code":`))
}

func anthropicShape(body []byte) bool {
	var out struct {
		Type  string
		Error *struct{ Type, Message string }
	}
	return json.Unmarshal(body, &out) == nil && out.Type == "error" && out.Error != nil && out.Error.Type != "" && out.Error.Message != ""
}

func ollamaShape(body []byte) bool {
	var out map[string]string
	return json.Unmarshal(body, &out) == nil && len(out) == 1 && out["error"] != ""
}

const (
	chatRest   = `,"messages":[{"role":"user","content":"hi"}]`
	promptRest = `,"prompt":"hi"`
	inputRest  = `,"input":"hi"`
)

func endpoints() []endpoint {
	list := []endpoint{
		{"POST", "/v1/messages", anthropicShape, `,"max_tokens":1` + chatRest, false, false},
		{"POST", "/v1/messages/count_tokens", anthropicShape, chatRest, false, false},
		{"POST", "/api/chat", ollamaShape, chatRest, false, false},
		{"POST", "/api/generate", ollamaShape, promptRest, false, false},
		{"POST", "/api/embed", ollamaShape, inputRest, false, false},
		{"POST", "/api/embeddings", ollamaShape, promptRest, false, false},
		{"POST", "/api/show", ollamaShape, "", false, false},
		{"POST", "/api/pull", ollamaShape, "", false, false},
		{"POST", "/api/push", ollamaShape, "", false, false},
		{"POST", "/api/create", ollamaShape, "", false, false},
		{"DELETE", "/api/delete", ollamaShape, "", false, false},
		{"POST", "/api/copy", ollamaShape, `,"source":"a","destination":"b"`, true, false},
		{"POST", "/v1/conversations", openaiShape, "", true, true},
		{"POST", "/v1/conversations/conv_1", openaiShape, "", true, false},
		{"POST", "/v1/conversations/conv_1/items", openaiShape, "", true, false},
		{"POST", "/openai/deployments/m/chat/completions", openaiShape, chatRest, true, false},
	}
	for _, base := range []string{"", "/v1"} {
		list = append(list,
			endpoint{"POST", base + "/chat/completions", openaiShape, chatRest, false, false},
			endpoint{"POST", base + "/completions", openaiShape, promptRest, false, false},
			endpoint{"POST", base + "/fim/completions", openaiShape, promptRest, false, false},
			endpoint{"POST", base + "/embeddings", openaiShape, inputRest, false, false},
			endpoint{"POST", base + "/moderations", openaiShape, inputRest, false, false},
			endpoint{"POST", base + "/audio/speech", openaiShape, inputRest, false, false},
			endpoint{"POST", base + "/images/generations", openaiShape, promptRest, false, false},
			endpoint{"POST", base + "/responses", openaiShape, inputRest, false, false},
		)
	}
	return list
}

// deaf is a gateway whose rooms must not be called.
func deaf(t *testing.T, change func(*gateway.Config)) *edge.Edge {
	t.Helper()
	config := gateway.DefaultConfig()
	if change != nil {
		change(&config)
	}
	called := func(what string) error {
		t.Errorf("%s was called", what)
		return nil
	}
	e, err := gateway.New(config, gateway.Deps{
		Request: &gatewaytest.Request{Script: func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
			return called("Submit")
		}},
		GPT: &gatewaytest.GPT{
			EmbedFunc: func(context.Context, *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error) { return nil, called("Embed") },
			ForwardFunc: func(context.Context, *gptv1.ForwardRequest, func(*gptv1.ForwardResponse) error) error {
				return called("Forward")
			},
		},
		// Whatever is asked of these panics, which is answered with 500.
		Response: struct {
			responsev1.ResponseServiceCaller
		}{}, Session: struct{ sessionv1.SessionServiceCaller }{},
		Auth: gatewaytest.Keys(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func squeezed(t *testing.T, n int) (gzipBomb, zstdBomb string) {
	t.Helper()
	plain := bytes.Repeat([]byte(" "), n)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return packed.String(), string(w.EncodeAll(plain, nil))
}

// Whatever is wrong with a body, on every endpoint: the face's own error, and
// no room hears of it.
func TestBadInputEverywhere(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	e := deaf(t, func(c *gateway.Config) { c.Edge.BodyLimit = limit })
	gzipBomb, zstdBomb := squeezed(t, 16*limit)
	type bad struct {
		body, encoding string
		status         int
	}
	for _, to := range endpoints() {
		whole := func(model string) string { return `{"model":` + model + to.rest + `}` }
		cases := map[string]bad{
			"cut off":          {`{"model":"m"`, "", 400},
			"no value":         {`{"model":}`, "", 400},
			"a list":           {`[]`, "", 400},
			"a text":           {`"hi"`, "", 400},
			"null":             {`null`, "", 400},
			"behind the value": {whole(`"m"`) + ` {}`, "", 400},
			"not UTF-8":        {whole("\"a\xff\""), "", 400},
			"control bytes":    {whole("\"a\x01\""), "", 400},
			"too deep":         {`{"model":"m","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + to.rest + `}`, "", 400},
			"a deep object":    {`{"model":"m","x":` + strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000) + to.rest + `}`, "", 400},
			"too large":        {`{"model":"m","x":"` + strings.Repeat("x", limit) + `"}`, "", 413},
			"a gzip bomb":      {gzipBomb, "gzip", 413},
			"a zstd bomb":      {zstdBomb, "zstd", 413},
			"not gzip":         {whole(`"m"`), "gzip", 400},
			"not zstd":         {whole(`"m"`), "zstd", 400},
			"an odd encoding":  {whole(`"m"`), "br", 415},
		}
		if !to.emptyIsFine {
			cases["nothing"] = bad{``, "", 400}
		}
		if !to.noModel {
			cases["a number for the model"] = bad{whole(`7`), "", 400}
			cases["a list for the model"] = bad{whole(`["m"]`), "", 400}
			cases["the model twice"] = bad{`{"model":"m","model":"n"` + to.rest + `}`, "", 400}
			cases["the model twice, escaped"] = bad{`{"model":"m","\u006dodel":"n"` + to.rest + `}`, "", 400}
		}
		for name, c := range cases {
			r := httptest.NewRequest(to.method, to.path, strings.NewReader(c.body))
			r.Host = "localhost"
			r.Header.Set("Content-Type", "application/json")
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if w.Code != c.status || !to.shape(w.Body.Bytes()) {
				t.Errorf("%s %s, %s: %d %.300s", to.method, to.path, name, w.Code, w.Body)
			}
		}
	}
}

// Forms have errors of their own.
func TestBadForms(t *testing.T) {
	t.Parallel()
	e := deaf(t, nil)
	for _, path := range []string{"/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits", "/v1/images/variations"} {
		for name, c := range map[string]struct{ contentType, body string }{
			"no boundary":     {"multipart/form-data", "x"},
			"cut off":         {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc"},
			"no form":         {"multipart/form-data; boundary=b", "hello"},
			"nothing":         {"multipart/form-data; boundary=b", ""},
			"too many parts":  {"multipart/form-data; boundary=b", strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n", 300) + "--b--\r\n"},
			"a model of 1 MB": {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n" + strings.Repeat("m", 1<<20) + "\r\n--b--\r\n"},
			"not JSON either": {"text/plain", "hello"},
		} {
			r := httptest.NewRequest("POST", path, strings.NewReader(c.body))
			r.Host = "localhost"
			r.Header.Set("Content-Type", c.contentType)
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if w.Code != http.StatusBadRequest || !openaiShape(w.Body.Bytes()) {
				t.Errorf("%s, %s: %d %.300s", path, name, w.Code, w.Body)
			}
		}
	}
}

// Bodies that never end, or say they are larger than they may be, cost neither
// memory nor a room's time.
func TestEndlessBodies(t *testing.T) {
	t.Parallel()
	e := deaf(t, nil)
	for _, to := range endpoints() {
		r := httptest.NewRequest(to.method, to.path, strings.NewReader(""))
		r.Host, r.ContentLength = "localhost", 50<<20
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || !to.shape(w.Body.Bytes()) {
			t.Errorf("%s %s: %d %s", to.method, to.path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/responses"} {
		r := httptest.NewRequest("POST", path, io.LimitReader(spaces{}, 1<<40)) // of unknown length
		r.Host, r.ContentLength = "localhost", -1
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// A body that does not come is given up, in the face's words.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	address := strings.TrimPrefix(gatewaytest.Serve(t, deaf(t, func(c *gateway.Config) { c.Edge.BodyTimeout = 50 * time.Millisecond })), "http://")
	for _, to := range endpoints() {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", to.method, to.path)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(to.path, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout || !resp.Close || !to.shape(body) {
			t.Errorf("%s %s: %d %s %v", to.method, to.path, resp.StatusCode, body, err)
		}
		resp.Body.Close()
		conn.Close()
	}
}

// An error names the member as the client of that face wrote it, and says what
// is wanted in words a reader understands.
func TestBadInputIsNamedInTheClientsWords(t *testing.T) {
	t.Parallel()
	e := deaf(t, nil)
	for _, c := range []struct{ path, body, want string }{
		{"/v1/chat/completions", ``, `"the body is empty; want a JSON object"`},
		{"/v1/responses", ``, `"the body is empty; want a JSON object"`},
		{"/api/chat", ``, `{"error":"the body is empty; want a JSON object"}`},
		{"/v1/completions", `{"model":"m","prompt":"x","max_tokens":-5}`, `"max_tokens: is -5; want 1 or more"`},
		{"/v1/completions", `{"model":"m","prompt":"x","max_tokens":"5"}`, `"max_tokens: want a whole number, have string"`},
		{"/v1/embeddings", `{"model":"m","input":["a",""]}`, `"message":"input[1]: is empty","type":"invalid_request_error","param":"input[1]"`},
		{"/api/embed", `{"model":"m","input":["a",""]}`, `{"error":"input.1: is empty"}`},
		{"/api/embed", `{"model":"m","input":5}`, `{"error":"input: want a string or an array of strings, have number"}`},
		{"/v1/messages", `{"model":"m","max_tokens":1}`, `"messages: Field required"`},
		{"/v1/messages", `{"model":"m","max_tokens":1,"messages":null}`, `"messages: Field required"`},
		{"/v1/messages", `{"model":"m","max_tokens":1,"messages":[ ]}`, `"messages: at least one message is required"`},
		{"/v1/messages/count_tokens", `{"model":"m"}`, `"messages: Field required"`},
		{"/v1/messages/count_tokens", `{"model":"m","messages":[]}`, `"messages: at least one message is required"`},
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Host = "localhost"
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != 400 || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s, want %s", c.path, c.body, w.Code, w.Body, c.want)
		}
	}
}

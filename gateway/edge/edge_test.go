package edge_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testFace words errors as "CODE text" in JSON and has the given routes.
func testFace(routes ...edge.Route) edge.Face {
	for i := range routes {
		if routes[i].Class == 0 && routes[i].ClassOf == nil {
			routes[i].Class = meshv1.RateClass_RATE_CLASS_API
		}
	}
	return edge.Face{Name: "test", Prefixes: []string{"/"}, Routes: routes, Error: func(err error) (int, []byte) {
		f := fault.From(err)
		status := map[codes.Code]int{codes.InvalidArgument: 400, codes.Unauthenticated: 401, codes.PermissionDenied: 403, codes.NotFound: 404,
			codes.ResourceExhausted: 429, codes.Unavailable: 503, codes.DeadlineExceeded: 504}[f.Code]
		if status == 0 {
			status = 500
		}
		body, _ := json.Marshal(map[string]string{"problem": f.Message, "field": f.Field()})
		return status, body
	}}
}

func echo(x *edge.Exchange) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	_ = x.JSON(200, body)
}

func whoami(x *edge.Exchange) {
	call := callctx.From(x.Context())
	_ = x.JSON(200, []byte(call.Principal.ID+" "+call.RequestID+" "+x.Param()))
}

func do(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A client that would rather have a websocket is sent back to HTTP, in the face's
// own words, with the status at which it does not try again.
func TestWebSocketsAreSentBackToHTTP(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/v1/echo", Handle: echo})}}, nil)
	w := do(t, e, "GET", "/v1/echo", "", "Upgrade", "WebSocket", "Connection", "Upgrade")
	if w.Code != 426 || w.Header().Get("Upgrade") != "HTTP/1.1" || !strings.Contains(w.Body.String(), "/v1/echo is not served over websockets; send POST over HTTP") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := do(t, e, "POST", "/v1/echo", "hi", "Upgrade", "websocket", "Connection", "Upgrade"); w.Code != 200 {
		t.Errorf("a call that could do without: %d %s", w.Code, w.Body)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(
		edge.Route{Method: "POST", Pattern: "/v1/echo", Handle: echo},
		edge.Route{Method: "GET", Pattern: "/v1/models/{id}", Handle: whoami},
		edge.Route{Method: "GET", Pattern: "/d/{name}/chat", Handle: whoami},
	)}}, nil)
	for _, c := range []struct {
		method, path string
		status       int
		want, allow  string
	}{
		{"POST", "/v1/echo", 200, "hi", ""},
		{"POST", "//v1/echo/", 200, "hi", ""},
		{"GET", "/v1/echo", 405, "takes no GET", "OPTIONS, POST"},
		{"TRACE", "/v1/echo", 405, "takes no TRACE", "OPTIONS, POST"},
		{"OPTIONS", "/v1/echo", 204, "", "OPTIONS, POST"},
		{"GET", "/v1/models/a/b:c", 200, " a/b:c", ""},
		{"GET", "/v1/models/", 404, "unknown path", ""},
		{"POST", "/v1/v1/echo", 200, "hi", ""},
		{"POST", "/api/v1/echo/", 200, "hi", ""},
		{"POST", "/k/any-key/v1/v1/echo", 200, "hi", ""},
		{"POST", "/v1/v1/v1/echo", 404, "unknown path /v1/v1/v1/echo", ""},
		{"POST", "/v1/v1", 404, "unknown path", ""},
		{"POST", "/v1/d/x/chat", 404, "unknown path", ""},
		{"HEAD", "/v1/models/a", 200, " a", ""},
		{"HEAD", "/v1/echo", 405, "", "OPTIONS, POST"},
		{"PUT", "/v1/models/a", 405, "takes no PUT", "GET, HEAD, OPTIONS"},
		{"GET", "/d/x/y/chat", 200, " x/y", ""},
		{"GET", "/nowhere", 404, "unknown path /nowhere", ""},
		{"GET", "/", 200, "Ollama is running", ""},
		{"HEAD", "/", 200, "", ""},
		{"POST", "/", 405, "", "GET, HEAD, OPTIONS"},
		{"GET", "/healthz", 200, "ok", ""},
		{"GET", "/k/any-key", 200, "Ollama is running", ""},
		{"POST", "/k/any-key/v1/echo", 200, "hi", ""},
	} {
		w := do(t, e, c.method, c.path, "hi")
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q Allow %q", c.method, c.path, w.Code, w.Body, w.Header().Get("Allow"))
		}
		if w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s %s: no request id", c.method, c.path)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/who", Handle: whoami})}}, nil)
	for given, kept := range map[string]bool{
		"abc-123": true, "a b": false, "": false, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, "bad\x7f": false,
	} {
		w := do(t, e, "GET", "/who", "", "X-Request-Id", given)
		got := w.Header().Get("X-Request-Id")
		if (got == given) != kept || got == "" || !strings.Contains(w.Body.String(), got) {
			t.Errorf("%q: header %q, context %q", given, got, w.Body)
		}
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{
		Auth:  gatewaytest.Keys(t, "good", "other"),
		Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/who", Handle: whoami})},
	}, nil)
	for name, c := range map[string]struct {
		path    string
		headers []string
		status  int
		text    string
	}{
		"nothing":                  {"/who", nil, 401, "required"},
		"empty bearer":             {"/who", []string{"Authorization", "Bearer "}, 401, "required"},
		"bearer":                   {"/who", []string{"Authorization", "Bearer good"}, 200, "key:"},
		"bare":                     {"/who", []string{"Authorization", "good"}, 200, "key:"},
		"basic":                    {"/who", []string{"Authorization", "Basic Z29vZDo="}, 401, "required"},
		"api-key":                  {"/who", []string{"api-key", "good"}, 200, "key:"},
		"x-api-key":                {"/who", []string{"x-api-key", "other"}, 200, "key:"},
		"path":                     {"/k/good/who", nil, 200, "key:"},
		"path beats a made-up one": {"/k/good/who", []string{"Authorization", "Bearer ollama"}, 200, "key:"},
		"wrong":                    {"/who", []string{"Authorization", "Bearer bad"}, 401, "not valid"},
		"wrong in path":            {"/k/bad/who", nil, 401, "not valid"},
		"empty in path":            {"/k//who", nil, 401, "required"},
		"health needs none":        {"/healthz", nil, 200, "ok"},
		"foreign Host with keys":   {"/who", []string{"Authorization", "Bearer good", "Host", "mesh.example.com"}, 200, "key:"},
	} {
		w := do(t, e, "GET", c.path, "", c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	first, second := do(t, e, "GET", "/k/good/who", "").Body.String(), do(t, e, "GET", "/k/other/who", "").Body.String()
	if strings.Fields(first)[0] == strings.Fields(second)[0] {
		t.Error("two keys are one principal")
	}
}

func TestKeylessGuard(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/who", Handle: whoami})}}, func(c *edge.Config) {
		c.AllowedHosts, c.AllowedOrigins = []string{"mesh.lan"}, []string{"https://chat.example.com"}
	})
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:11434": true, "LOCALHOST.": true, "a.localhost": true, "127.0.0.1:80": true, "[::1]:80": true, "10.1.2.3": true,
		"192.168.0.9:8080": true, "mesh.lan:80": true, "printer.local": true, "host.docker.internal:1": true,
		"evil.example.com": false, "localhost.evil.com": false, "8.8.8.8": false, "127.0.0.1.nip.io": false, "mesh.lan.evil.com": false,
	} {
		if w := do(t, e, "GET", "/who", "", "Host", host); (w.Code == 200) != ok || !ok && w.Code != 403 {
			t.Errorf("Host %s: %d", host, w.Code)
		}
	}
	for origin, ok := range map[string]bool{
		"http://localhost": true, "http://localhost:3000": true, "https://127.0.0.1:8443": true, "http://[::1]:5173": true, "http://0.0.0.0:1": true,
		"app://obsidian.md": true, "file://": true, "tauri://localhost": true, "vscode-webview://abc": true, "vscode-file://vscode-app": true,
		"https://chat.example.com": true, "https://CHAT.example.com": true,
		"https://evil.com": false, "http://localhost.evil.com": false, "http://localhost:1@evil.com": false, "null": false, "http://127.0.0.1:x": false,
		"https://chat.example.com.evil.com": false,
	} {
		w := do(t, e, "GET", "/who", "", "Origin", origin)
		if (w.Code == 200) != ok || (w.Header().Get("Access-Control-Allow-Origin") == origin) != ok {
			t.Errorf("Origin %s: %d %q", origin, w.Code, w.Header().Get("Access-Control-Allow-Origin"))
		}
		asked := "authorization, content-type, x-stainless-os, x-stainless-lang"
		w = do(t, e, "OPTIONS", "/who", "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", asked)
		if (w.Code == 204) != ok || ok && w.Header().Get("Access-Control-Allow-Headers") != asked {
			t.Errorf("preflight of %s: %d %v", origin, w.Code, w.Header())
		}
	}
	if w := do(t, e, "OPTIONS", "/who", "", "Host", "evil.com", "Origin", "http://localhost", "Access-Control-Request-Method", "POST"); w.Code != 403 {
		t.Errorf("preflight of a rebound host: %d", w.Code)
	}
}

func TestForeignOriginWithKeys(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Auth: gatewaytest.Keys(t, "good"), Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/who", Handle: whoami})}}, nil)
	w := do(t, e, "GET", "/who", "", "Origin", "https://evil.com", "Authorization", "Bearer good")
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	w = do(t, e, "OPTIONS", "/who", "", "Origin", "https://evil.com", "Access-Control-Request-Method", "GET")
	if w.Code != 403 || w.Header().Get("Access-Control-Allow-Headers") != "" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_010, 0)
	clock := func() time.Time { return at }
	e := gatewaytest.Edge(t, edge.Deps{
		Limiter: ratelimit.New(ratelimit.Config{API: 2, Window: time.Minute}, clock), Clock: clock,
		Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/who", Handle: whoami})},
	}, nil)
	for i, want := range []string{"200 2 1", "200 2 0", "429 2 0"} {
		w := do(t, e, "GET", "/who", "")
		h := w.Header()
		if got := fmt.Sprint(w.Code, " ", h.Get("X-RateLimit-Limit"), " ", h.Get("X-RateLimit-Remaining")); got != want {
			t.Errorf("call %d: %s, want %s", i, got, want)
		}
		if h.Get("X-RateLimit-Reset") == "" || (w.Code == 429) != (h.Get("Retry-After") != "") {
			t.Errorf("call %d: %v", i, h)
		}
	}
	if w := do(t, e, "GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("health is limited: %d", w.Code)
	}
}

func gzipped(t *testing.T, p []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, p []byte) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return string(z.EncodeAll(p, nil))
}

func TestBodies(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/echo", Handle: echo})}},
		func(c *edge.Config) { c.BodyLimit = limit })
	prompt := bytes.Repeat([]byte("token "), 100_000)
	bomb := make([]byte, 16<<20)
	for name, c := range map[string]struct {
		body, encoding string
		status         int
	}{
		"plain":           {string(prompt), "", 200},
		"identity":        {string(prompt), "identity", 200},
		"gzip":            {gzipped(t, prompt), "gzip", 200},
		"zstd":            {zstandard(t, prompt), "ZSTD", 200},
		"at the limit":    {strings.Repeat("x", limit), "", 200},
		"over the limit":  {strings.Repeat("x", limit+1), "", 413},
		"gzip bomb":       {gzipped(t, bomb), "gzip", 413},
		"zstd bomb":       {zstandard(t, bomb), "zstd", 413},
		"not gzip":        {"hello", "gzip", 400},
		"not zstd":        {"hello", "zstd", 400},
		"cut gzip":        {gzipped(t, prompt)[:40], "gzip", 400},
		"unknown":         {"hello", "br", 415},
		"two at once":     {"hello", "gzip, zstd", 415},
		"empty":           {"", "", 200},
		"gzip of nothing": {gzipped(t, nil), "gzip", 200},
	} {
		w := do(t, e, "POST", "/echo", c.body, "Content-Encoding", c.encoding)
		if w.Code != c.status {
			t.Errorf("%s: %d %.100s", name, w.Code, w.Body)
		}
		if c.status == 200 && len(c.body) > 1000 && strings.HasPrefix(name, "z") && !bytes.Equal(w.Body.Bytes(), prompt) {
			t.Errorf("%s: the body was changed", name)
		}
		if c.status != 200 && !strings.Contains(w.Body.String(), `"problem"`) {
			t.Errorf("%s: not in the face's words: %s", name, w.Body)
		}
	}
}

func TestChunkedBodyOverTheLimit(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/echo", Handle: echo})}},
		func(c *edge.Config) { c.BodyLimit = 1 << 16 })
	r := httptest.NewRequest("POST", "/echo", io.LimitReader(endless{}, 1<<30)) // of unknown length
	r.Host, r.ContentLength = "localhost", -1
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != 413 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSlowBody(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/echo", Handle: echo})}},
		func(c *edge.Config) { c.BodyTimeout = 20 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(gatewaytest.Serve(t, e), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
		t.Errorf("%d, closes %v", resp.StatusCode, resp.Close)
	}
}

// The deadline of a body must not end the answer that follows it.
func TestBodyDeadlineDoesNotOutliveTheBody(t *testing.T) {
	t.Parallel()
	for limit := 20 * time.Millisecond; ; limit *= 2 {
		e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/wait", Handle: func(x *edge.Exchange) {
			if _, err := x.Body(); err != nil {
				x.Fail(err)
				return
			}
			passed := time.NewTimer(3 * limit)
			defer passed.Stop()
			select {
			case <-passed.C:
				_ = x.JSON(200, []byte("{}"))
			case <-x.Context().Done():
			}
		}})}}, func(c *edge.Config) { c.BodyTimeout = limit })
		resp, err := gatewaytest.Client(t).Post(gatewaytest.Serve(t, e)+"/wait", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusRequestTimeout && limit < 5*time.Second {
			continue // the body was not read in time
		}
		if resp.StatusCode != 200 {
			t.Errorf("%d", resp.StatusCode)
		}
		return
	}
}

func TestTimeoutHeader(t *testing.T) {
	t.Parallel()
	deadline := func(x *edge.Exchange) {
		d, ok := x.Context().Deadline()
		left := time.Duration(0)
		if ok {
			left = time.Until(d).Round(time.Second)
		}
		_ = x.JSON(200, []byte(left.String()+" "+x.Timeout().String()))
	}
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/d", Handle: deadline})}}, nil)
	for _, c := range []struct {
		key, value string
		status     int
		want       string
	}{
		{"X-Request-Timeout", "30", 200, "30s 30s"},
		{"timeout", "90.5", 200, " 1m30.5s"},
		{"timeout", "999999999", 200, "1h0m0s 1h0m0s"},
		{"X-None", "1", 200, "0s 0s"},
		{"X-Request-Timeout", "0", 400, "X-Request-Timeout"},
		{"X-Request-Timeout", "-1", 400, "X-Request-Timeout"},
		{"X-Request-Timeout", "NaN", 400, "X-Request-Timeout"},
		{"timeout", "soon", 400, "Timeout"},
		{"timeout", "1.2.3", 400, "Timeout"},
	} {
		if w := do(t, e, "GET", "/d", "", c.key, c.value); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %s: %d %s", c.key, c.value, w.Code, w.Body)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	rooms := []edge.Room{{Name: "session"}, {Name: "gpt", Err: errors.New("password=secret")}}
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace()}, Ready: func(context.Context) []edge.Room { return rooms }}, nil)
	w := do(t, e, "GET", "/readyz", "")
	if want := `{"ready":false,"rooms":[{"name":"session","ready":true},{"name":"gpt","ready":false,"why":"internal error"}]}`; w.Code != 503 || strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	rooms[1].Err = nil
	if w := do(t, e, "GET", "/readyz", ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(
		edge.Route{Method: "GET", Pattern: "/slow", Handle: func(x *edge.Exchange) {
			close(entered)
			<-release
			_ = x.JSON(200, []byte("done"))
		}},
		edge.Route{Method: "GET", Pattern: "/who", Handle: whoami},
	)}}, nil)
	slow := make(chan *httptest.ResponseRecorder)
	go func() { slow <- do(t, e, "GET", "/slow", "") }()
	<-entered
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Drain(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("drain with one request under way: %v", err)
	}
	if w := do(t, e, "GET", "/readyz", ""); w.Code != 503 || !strings.Contains(w.Body.String(), `"draining":true`) {
		t.Errorf("readyz: %d %s", w.Code, w.Body)
	}
	if w := do(t, e, "GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := do(t, e, "GET", "/who", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "shutting down") {
		t.Errorf("a new request: %d %v %s", w.Code, w.Header(), w.Body)
	}
	drained := make(chan error)
	go func() { drained <- e.Drain(context.Background()) }()
	close(release)
	if w := <-slow; w.Code != 200 || w.Body.String() != "done" {
		t.Errorf("the running request: %d %s", w.Code, w.Body)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/slow", Handle: func(x *edge.Exchange) {
		close(entered)
		<-x.Context().Done()
		x.Fail(x.Context().Err())
	}})}}, nil)
	url := gatewaytest.Serve(t, e)
	go func() {
		<-entered
		e.Close()
	}()
	resp, err := gatewaytest.Client(t).Get(url + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || !strings.Contains(string(body), "shutting down") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(
		edge.Route{Method: "GET", Pattern: "/slow", Handle: func(x *edge.Exchange) { close(entered); <-release }},
		edge.Route{Method: "GET", Pattern: "/who", Handle: whoami},
	)}}, func(c *edge.Config) { c.MaxInFlight = 1 })
	done := make(chan struct{})
	go func() { defer close(done); do(t, e, "GET", "/slow", "") }()
	<-entered
	if w := do(t, e, "GET", "/who", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	close(release)
	<-done
	if w := do(t, e, "GET", "/who", ""); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(
		edge.Route{Method: "GET", Pattern: "/before", Handle: func(*edge.Exchange) { panic("secret") }},
		edge.Route{Method: "GET", Pattern: "/after", Handle: func(x *edge.Exchange) { _ = x.Send([]byte("half")); panic("secret") }},
	)}}, nil)
	if w := do(t, e, "GET", "/before", ""); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	resp, err := gatewaytest.Client(t).Get(gatewaytest.Serve(t, e) + "/after")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a broken answer ended in good order: %q", body)
	}
}

func TestLogAndMetrics(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var out bytes.Buffer
	registry := prometheus.NewRegistry()
	e := gatewaytest.Edge(t, edge.Deps{
		Auth: gatewaytest.Keys(t, "s3cret-key"), Metrics: registry,
		Logger: slog.New(slog.NewJSONHandler(&lockedWriter{&mu, &out}, nil)),
		Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/m/{id}", Handle: func(x *edge.Exchange) {
			x.SetModel("gpt-x")
			whoami(x)
		}})},
	}, nil)
	do(t, e, "GET", "/k/s3cret-key/m/1", "", "Authorization", "Bearer s3cret-key", "X-Request-Id", "r-1")
	do(t, e, "GET", "/m/1", "", "Authorization", "Bearer bad-s3cret-key")
	do(t, e, "GET", "/nowhere", "")
	text := out.String()
	for _, want := range []string{`"request_id":"r-1"`, `"route":"/m/{id}"`, `"status":200`, `"model":"gpt-x"`, `"principal":"key:`, `"status":401`, `"reason":"UNAUTHENTICATED"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "s3cret") {
		t.Errorf("the log holds a key:\n%s", text)
	}
	want := `
# HELP gptmesh_http_requests_total HTTP requests, by face, route and status; 499 is a client that left.
# TYPE gptmesh_http_requests_total counter
gptmesh_http_requests_total{code="200",face="test",method="GET",route="/m/{id}"} 1
gptmesh_http_requests_total{code="401",face="test",method="GET",route="/m/{id}"} 1
gptmesh_http_requests_total{code="404",face="none",method="any",route="unmatched"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "gptmesh_http_requests_total"); err != nil {
		t.Error(err)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// recorder notes what left for the client, write by write.
type recorder struct {
	*httptest.ResponseRecorder
	mu      sync.Mutex
	flushed []string
	from    int
}

func (r *recorder) FlushError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushed = append(r.flushed, r.Body.String()[r.from:])
	r.from = r.Body.Len()
	return nil
}
func (r *recorder) SetReadDeadline(time.Time) error  { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/s", Handle: func(x *edge.Exchange) {
			s := x.Stream(edge.StreamOptions{ContentType: "text/event-stream", Pause: 15 * time.Second, Ping: []byte(": ping\n\n")})
			defer s.Close()
			time.Sleep(40 * time.Second) // of the bubble's clock
			for _, piece := range []string{"one", "two"} {
				if err := s.Send([]byte(piece)); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
			}
		}})}}, nil)
		w := &recorder{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", "/s", nil)
		r.Host = "localhost"
		e.ServeHTTP(w, r)
		if got, want := strings.Join(w.flushed, "|"), ": ping\n\n|: ping\n\n|one|two"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if h := w.Header(); h.Get("Content-Type") != "text/event-stream" || h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-cache" {
			t.Errorf("%v", h)
		}
	})
}

func TestNoHeartbeatAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/s", Handle: func(x *edge.Exchange) {
			s := x.Stream(edge.StreamOptions{ContentType: "text/event-stream", Pause: time.Second, Ping: []byte(": ping\n\n")})
			s.Close()
			time.Sleep(time.Minute)
			if s.Opened() {
				t.Error("a heartbeat went out")
			}
			x.Fail(fault.InvalidField("model", "is odd"))
		}})}}, nil)
		if w := do(t, e, "GET", "/s", ""); w.Code != 400 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A client that does not read ends the answer after the write timeout.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/flood", Handle: func(x *edge.Exchange) {
		piece := make([]byte, 1<<20)
		for {
			if err := x.Send(piece); err != nil {
				<-x.Context().Done()
				ended <- err
				return
			}
		}
	}})}}, func(c *edge.Config) { c.WriteTimeout = 30 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(gatewaytest.Serve(t, e), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := <-ended; err == nil {
		t.Error("no error")
	}
}

func TestConfigNamesItsKeys(t *testing.T) {
	t.Parallel()
	for key, change := range map[string]func(*edge.Config){
		"body_limit":         func(c *edge.Config) { c.BodyLimit = 0 },
		"write_timeout":      func(c *edge.Config) { c.WriteTimeout = 0 },
		"max_in_flight":      func(c *edge.Config) { c.MaxInFlight = -1 },
		"allowed_hosts[0]":   func(c *edge.Config) { c.AllowedHosts = []string{""} },
		"allowed_origins[0]": func(c *edge.Config) { c.AllowedOrigins = []string{""} },
	} {
		c := edge.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

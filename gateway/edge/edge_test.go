package edge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
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

func TestTimeoutHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		deadline := func(x *edge.Exchange) {
			d, ok := x.Context().Deadline()
			left := time.Duration(0)
			if ok {
				left = time.Until(d)
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
	})
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

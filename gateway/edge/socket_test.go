package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
)

// socketFace answers each message as the edge answers it when it is posted.
func socketFace(t *testing.T) edge.Face {
	return testFace(
		edge.Route{Method: "POST", Pattern: "/v1/echo", Handle: echo},
		edge.Route{Method: "GET", Pattern: "/v1/echo", Socket: true, Handle: func(x *edge.Exchange) {
			conn, err := x.Upgrade()
			if err != nil {
				x.SetFailure(err)
				return
			}
			defer conn.CloseNow()
			for {
				_, message, err := conn.Read(x.Request().Context())
				if err != nil {
					return
				}
				w, r := httptest.NewRecorder(), x.Request().Clone(x.Request().Context())
				posted := httptest.NewRequest("POST", "/v1/echo", strings.NewReader(string(message)))
				r.Method, r.Body, r.ContentLength = "POST", posted.Body, posted.ContentLength
				x.Serve(w, r)
				if err := conn.Write(r.Context(), websocket.MessageText, append(w.Body.Bytes(), w.Header().Get("X-Request-Id")...)); err != nil {
					t.Error(err)
				}
			}
		}},
	)
}

// TestSocketRoutesAreForWebSockets: others see the rest of the path's methods.
func TestSocketRoutesAreForWebSockets(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{socketFace(t)}}, nil)
	for _, method := range []string{"GET", "HEAD"} {
		if w := do(t, e, method, "/v1/echo", ""); w.Code != 405 || w.Header().Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: %d %v %s", method, w.Code, w.Header(), w.Body)
		}
	}
	if w := do(t, e, "POST", "/v1/echo", "hi"); w.Code != 200 || w.Body.String() != "hi" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do(t, e, "GET", "/v1/echo", "", "Upgrade", "websocket"); w.Code != 426 {
		t.Errorf("no handshake: %d %s", w.Code, w.Body)
	}
}

// TestUpgrade: what comes over the connection is a request of its own.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{socketFace(t)}}, func(c *edge.Config) { c.BodyLimit = 1 << 10 })
	url := gatewaytest.Serve(t, e)
	dial := func(header http.Header) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(t.Context(), url+"/v1/echo", &websocket.DialOptions{HTTPClient: gatewaytest.Client(t), HTTPHeader: header})
	}
	conn, resp, err := dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	seen := map[string]bool{resp.Header.Get("X-Request-Id"): true}
	for range 2 {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
			t.Fatal(err)
		}
		_, got, err := conn.Read(t.Context())
		id, ok := strings.CutPrefix(string(got), "hi")
		if err != nil || !ok || seen[id] {
			t.Fatalf("%q %v", got, err)
		}
		seen[id] = true
	}
	if err := conn.Write(t.Context(), websocket.MessageText, make([]byte, 2<<10)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("more than a body: %v", err)
	}
	// A page of another origin is refused as it is over HTTP.
	if _, resp, err := dial(http.Header{"Origin": {"https://elsewhere.example"}}); err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("%v %v", resp, err)
	}
}

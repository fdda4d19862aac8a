package edge_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// Two faces may have the same path: a header says whose client is calling, and
// who words what goes wrong.
func TestFaceByHeader(t *testing.T) {
	t.Parallel()
	says := func(text string) func(*edge.Exchange) {
		return func(x *edge.Exchange) { _ = x.JSON(200, []byte(text+" "+x.Param())) }
	}
	faceOf := func(name, header, prefix string, only string) edge.Face {
		face := testFace(
			edge.Route{Method: "GET", Pattern: "/v1/models", Handle: says(name)},
			edge.Route{Method: "GET", Pattern: "/v1/models/{" + name + "}", Handle: says(name)},
			edge.Route{Method: "POST", Pattern: only, Handle: says(name)})
		face.Name, face.Header, face.Prefixes = name, header, []string{prefix}
		face.Error = func(error) (int, []byte) { return 400, []byte(`{"from":"` + name + `"}`) }
		return face
	}
	plain, marked := faceOf("plain", "", "/", "/v1/chat"), faceOf("marked", "X-Marked", "/v1/messages", "/v1/messages")
	for _, faces := range [][]edge.Face{{plain, marked}, {marked, plain}} {
		e := gatewaytest.Edge(t, edge.Deps{Faces: faces}, nil)
		for _, c := range []struct{ method, path, header, want string }{
			{"GET", "/v1/models", "", "plain "},
			{"GET", "/v1/models", "X-Marked", "marked "},
			{"GET", "/v1/models/a/b", "", "plain a/b"},
			{"GET", "/v1/models/a/b", "X-Marked", "marked a/b"},
			{"POST", "/v1/chat", "X-Marked", "plain "},
			{"POST", "/v1/messages", "", "marked "},
			{"GET", "/v1/messages", "", `{"from":"marked"}`},
			{"GET", "/v1/files", "", `{"from":"plain"}`},
			{"GET", "/v1/files", "X-Marked", `{"from":"marked"}`},
			{"GET", "/healthz", "X-Marked", "ok\n"},
		} {
			headers := []string{c.header, "1"}
			if c.header == "" {
				headers = nil
			}
			if got := do(t, e, c.method, c.path, "", headers...).Body.String(); got != c.want {
				t.Errorf("%s %s %q: %q, want %q", c.method, c.path, c.header, got, c.want)
			}
		}
	}
	if _, err := edge.New(edge.DefaultConfig(), edge.Deps{Auth: gatewaytest.Keys(t), Faces: []edge.Face{plain, marked, marked}}); err == nil {
		t.Error("the same header twice: no error")
	}
}

// A face can name the request in a header and in the body of its errors.
func TestRequestIDOfAFace(t *testing.T) {
	t.Parallel()
	face := testFace(edge.Route{Method: "GET", Pattern: "/who", Handle: whoami}, edge.Route{Method: "GET", Pattern: "/busy", Handle: func(x *edge.Exchange) {
		x.Fail(edge.WithStatus(529, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED, "busy").WithRetryAfter(2*time.Second)))
	}})
	face.RequestIDHeader, face.RequestIDMember = "Request-Id", "request_id"
	e := gatewaytest.Edge(t, edge.Deps{Auth: gatewaytest.Keys(t, "key-of-sixteen-characters"), Faces: []edge.Face{face}}, nil)
	const id = `a"b"\c`
	for path, want := range map[string]int{"/who": 200, "/busy": 529, "/nowhere": 404, "/who?unkeyed": 401} {
		headers := []string{"X-Request-Id", id}
		if want != 401 {
			headers = append(headers, "X-Api-Key", "key-of-sixteen-characters")
		}
		w := do(t, e, "GET", path, "", headers...)
		if w.Code != want || w.Header().Get("Request-Id") != id || w.Header().Get("X-Request-Id") != id || (w.Header().Get("Retry-After") == "2") != (want == 529) {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if want == 200 {
			continue
		}
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["request_id"] != id || body["problem"] == "" {
			t.Errorf("%s: %v %s", path, err, w.Body)
		}
	}
}

func TestHeartbeatThroughout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/s", Handle: func(x *edge.Exchange) {
			s := x.Stream(edge.StreamOptions{ContentType: "text/event-stream", Pause: 10 * time.Second, Ping: []byte("ping"), Throughout: true})
			for _, wait := range []time.Duration{15 * time.Second, 9 * time.Second, 25 * time.Second} {
				time.Sleep(wait) // of the bubble's clock
				if err := s.Send([]byte("piece")); err != nil {
					t.Error(err)
				}
			}
			s.Close()
			time.Sleep(time.Minute)
		}})}}, nil)
		w := &recorder{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", "/s", nil)
		r.Host = "localhost"
		e.ServeHTTP(w, r)
		if got, want := strings.Join(w.flushed, "|"), "ping|piece|piece|ping|piece"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

package edge_test

import (
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

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

func (r *recorder) SetReadDeadline(time.Time) error { return nil }

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

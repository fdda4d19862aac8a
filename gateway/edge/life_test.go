package edge_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
)

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

package gatewaytest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/pkg/auth"
)

// Edge makes an edge over faces, without keys unless deps has them.
func Edge(t testing.TB, deps edge.Deps, change func(*edge.Config)) *edge.Edge {
	t.Helper()
	if deps.Auth == nil {
		deps.Auth = Keys(t)
	}
	config := edge.DefaultConfig()
	if change != nil {
		change(&config)
	}
	e, err := edge.New(config, deps)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Keys knows the given keys.
func Keys(t testing.TB, keys ...string) *auth.Authenticator {
	t.Helper()
	a, err := auth.New(auth.Config{APIKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Serve serves the edge on a loopback port until the test ends, and returns its
// address, "http://127.0.0.1:1234". Connections that are open then are closed.
func Serve(t testing.TB, e *edge.Edge) string {
	t.Helper()
	server := httptest.NewUnstartedServer(e)
	own := e.Server()
	own.ErrorLog, own.Handler = server.Config.ErrorLog, e
	server.Config = own
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// Client makes connections of its own, closed when the test ends.
func Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

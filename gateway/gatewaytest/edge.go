package gatewaytest

import (
	"net"
	"net/http"
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, served := e.Server(), make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return "http://" + listener.Addr().String()
}

// Client makes connections of its own, closed when the test ends.
func Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

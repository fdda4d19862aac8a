package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// clients are the connections of a mesh's test.
type clients struct {
	http  *http.Client
	conns map[string]*grpc.ClientConn
}

func (c *clients) open(t testing.TB, m *Mesh) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	c.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	c.conns = map[string]*grpc.ClientConn{}
	for _, p := range m.Processes {
		conn, err := grpc.NewClient("passthrough:///"+p.GRPC, grpc.WithTransportCredentials(m.credentials(t)),
			grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
				return next(m.withKey(ctx), method, req, reply, conn, options...)
			}),
			grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, next grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
				return next(m.withKey(ctx), desc, conn, method, options...)
			}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		c.conns[p.Name] = conn
	}
}

func (m *Mesh) withKey(ctx context.Context) context.Context {
	if m.Key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+m.Key)
}

// credentials are those of an outside client: it knows the authority and has no
// certificate of its own.
func (m *Mesh) credentials(t testing.TB) credentials.TransportCredentials {
	t.Helper()
	if m.TLS == "" {
		return insecure.NewCredentials()
	}
	pem, err := os.ReadFile(filepath.Join(m.TLS, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("harness: no certificate in ca.pem")
	}
	return credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})
}

// HTTP is a client of the faces.
func (m *Mesh) HTTP() *http.Client { return m.clients.http }

// Conn is a connection to the process that runs a room.
func (m *Mesh) Conn(room string) *grpc.ClientConn { return m.clients.conns[m.Of(room).Name] }

// Session calls the session room.
func (m *Mesh) Session() sessionv1.SessionServiceCaller {
	return sessionv1.RemoteSessionService(m.Conn("session"))
}

// Request calls the request room.
func (m *Mesh) Request() requestv1.RequestServiceCaller {
	return requestv1.RemoteRequestService(m.Conn("request"))
}

// Response calls the response room.
func (m *Mesh) Response() responsev1.ResponseServiceCaller {
	return responsev1.RemoteResponseService(m.Conn("response"))
}

// GPT calls the gpt room.
func (m *Mesh) GPT() gptv1.GPTServiceCaller { return gptv1.RemoteGPTService(m.Conn("gpt")) }

// Classifier calls the classifier room.
func (m *Mesh) Classifier() classifierv1.ClassifierServiceCaller {
	return classifierv1.RemoteClassifierService(m.Conn("classifier"))
}

package contract

import (
	"context"
	"crypto/tls"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// certificates makes a development authority with the program itself.
func certificates(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	out, err := exec.CommandContext(t.Context(), harness.Binary(t), "certs", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ca.pem") {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// Rooms that know each other by certificate carry turns as ever, and speak for
// whom they act; a stranger gets no further than the door.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	for _, shape := range []harness.Shape{harness.Up, harness.Lean, harness.Full} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			dir := certificates(t)
			mesh := start(t, harness.Config{
				Combination: harness.Combination{Shape: shape}, TLS: dir, Key: "first-key",
				Env: map[string]string{"GPTMESH_API_KEYS": "first-key,second-key"},
			})
			for _, f := range face.All() {
				for _, stream := range []bool{true, false} {
					answer, err := f.Ask(t.Context(), mesh, face.Ask{Model: model, Text: "hello", Stream: stream, Session: "new"})
					if err != nil || !answer.Complete || answer.Text != "Hello from "+model+"." {
						t.Fatalf("%s: %v %+v %+v", f.Name(), err, answer.Error, answer)
					}
					// What the gateway did for the key belongs to the key.
					list, err := mesh.Session().ListMessages(t.Context(), &sessionv1.ListMessagesRequest{SessionId: answer.SessionID})
					if err != nil || len(list.GetMessages()) != 2 {
						t.Errorf("%s: %v %v", f.Name(), list, err)
					}
				}
			}
			strangers := map[string]credentials.TransportCredentials{"no TLS": insecure.NewCredentials()}
			other := certificates(t)
			pair, err := tls.LoadX509KeyPair(filepath.Join(other, "session.pem"), filepath.Join(other, "session.key"))
			if err != nil {
				t.Fatal(err)
			}
			strangers["a certificate of another authority"] = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
			for name, transport := range strangers {
				if code := list(t, mesh, transport); code != codes.Unavailable {
					t.Errorf("with %s: %v, want no connection", name, code)
				}
			}
			if code := list(t, mesh, credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})); code != codes.Unauthenticated {
				t.Errorf("without certificate or key: %v", code)
			}
		})
	}
}

// list calls the session room and returns the code.
func list(t *testing.T, mesh *harness.Mesh, transport credentials.TransportCredentials) codes.Code {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+mesh.Of("session").GRPC, grpc.WithTransportCredentials(transport))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	_, err = sessionv1.RemoteSessionService(conn).ListSessions(ctx, &sessionv1.ListSessionsRequest{})
	return status.Code(err)
}

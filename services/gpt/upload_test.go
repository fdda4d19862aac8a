package gpt_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// blobServer is an Ollama server that takes blobs.
func blobServer(t *testing.T, take http.HandlerFunc) map[string]string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/blobs/") {
			take(w, r)
			return
		}
		io.WriteString(w, `{"models":[]}`)
	}))
	t.Cleanup(server.Close)
	return map[string]string{"OLLAMA_HOST": server.URL}
}

// blob is a source of length bytes in pieces.
func blob(digest string, length, piece int, each func(sent int)) func() (*gptv1.UploadRequest, error) {
	sent, data := 0, make([]byte, piece)
	return func() (*gptv1.UploadRequest, error) {
		if each != nil {
			each(sent)
		}
		if sent > 0 && sent >= length {
			return nil, io.EOF
		}
		req := &gptv1.UploadRequest{Data: data[:min(piece, length-sent)]}
		if sent == 0 {
			req.Operation, req.Digest = gptv1.Operation_OPERATION_BLOB_PUT, digest
		}
		sent += piece
		return req, nil
	}
}

func overGRPC(t *testing.T, r *rig) gptv1.GPTServiceCaller {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	r.room.Register(server)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); server.Stop(); <-served })
	return gptv1.RemoteGPTService(conn)
}

// A blob of 64 MiB goes through, in this process and over a connection, and
// never stands in memory as a whole. Not parallel: it measures the heap.
func TestUpload(t *testing.T) {
	const length, piece = 64 << 20, 256 << 10
	sum := sha256.New()
	for range length / piece {
		sum.Write(make([]byte, piece))
	}
	digest := "sha256:" + hex.EncodeToString(sum.Sum(nil))
	r := start(t, setup{env: blobServer(t, func(w http.ResponseWriter, r *http.Request) {
		got := sha256.New()
		n, err := io.Copy(got, r.Body)
		if r.URL.Path != "/api/blobs/sha256:"+hex.EncodeToString(got.Sum(nil)) || err != nil || r.Method != "POST" {
			w.WriteHeader(400)
			io.WriteString(w, `{"error":"digest mismatch"}`)
			return
		}
		if n != length {
			t.Errorf("%d bytes arrived", n)
		}
		w.WriteHeader(201)
	})})
	for name, c := range map[string]gptv1.GPTServiceCaller{"local": r, "grpc": overGRPC(t, r)} {
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		most := uint64(0)
		resp, err := c.Upload(t.Context(), blob(digest, length, piece, func(sent int) {
			if sent%(8<<20) == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}))
		if err != nil || resp.GetStatus() != 201 {
			t.Fatalf("%s: %v %v", name, resp, err)
		}
		if grown := int64(most) - int64(before.HeapAlloc); grown > 16<<20 {
			t.Errorf("%s: the heap grew by %d MiB", name, grown>>20)
		}
		resp, err = c.Upload(t.Context(), blob("sha256:"+strings.Repeat("0a", 32), 3, 2, nil))
		if err != nil || resp.GetStatus() != 400 || string(resp.GetData()) != `{"error":"digest mismatch"}` {
			t.Errorf("%s: another digest: %v %v", name, resp, err)
		}
	}
	if rows := r.attempts(t); len(rows) > 0 {
		t.Error(rows)
	}
}

func TestUploadEnds(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("0a", 32)
	cut, begun := make(chan error, 4), make(chan struct{}, 4)
	r := start(t, setup{env: blobServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path[len(r.URL.Path)-2:] {
		case "0b": // there already: nothing is read
			return
		case "0c":
			w.WriteHeader(503)
			return
		}
		begun <- struct{}{}
		_, err := io.Copy(io.Discard, r.Body)
		cut <- err
	})})
	away := errors.New("the client left")
	for name, c := range map[string]gptv1.GPTServiceCaller{"local": r, "grpc": overGRPC(t, r)} {
		resp, err := c.Upload(t.Context(), blob(digest[:len(digest)-1]+"b", 8<<20, 1<<20, nil))
		if err != nil || resp.GetStatus() != 200 {
			t.Errorf("%s: answered at once: %v %v", name, resp, err)
		}
		if _, err := c.Upload(t.Context(), blob(digest[:len(digest)-1]+"c", 8<<20, 1<<20, nil)); err == nil {
			t.Errorf("%s: 503 is no error", name)
		}
		source := blob(digest, 8<<20, 1<<20, nil)
		calls := 0
		_, err = c.Upload(t.Context(), func() (*gptv1.UploadRequest, error) {
			if calls++; calls > 2 {
				<-begun
				return nil, away
			}
			return source()
		})
		if !errors.Is(err, away) {
			t.Errorf("%s: %v, want what the source said", name, err)
		}
		if err := <-cut; err == nil {
			t.Errorf("%s: the provider took a part for the whole", name)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = c.Upload(ctx, blob(digest, 8<<20, 1<<20, func(sent int) {
			if sent == 2<<20 {
				<-begun
				cancel()
			}
		}))
		if err == nil {
			t.Errorf("%s: a cancelled upload succeeded", name)
		}
		if err := <-cut; err == nil {
			t.Errorf("%s: the provider took a part for the whole", name)
		}
		if _, err := c.Upload(t.Context(), blob("sha256:x", 1, 1, nil)); fault.From(err).Metadata["field"] != "digest" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

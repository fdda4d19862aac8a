package edge_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/klauspost/compress/zstd"
)

func gzipped(t *testing.T, p []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, p []byte) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return string(z.EncodeAll(p, nil))
}

func TestBodies(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/echo", Handle: echo})}},
		func(c *edge.Config) { c.BodyLimit = limit })
	prompt := bytes.Repeat([]byte("token "), 100_000)
	bomb := make([]byte, 16<<20)
	for name, c := range map[string]struct {
		body, encoding string
		status         int
	}{
		"plain":           {string(prompt), "", 200},
		"identity":        {string(prompt), "identity", 200},
		"gzip":            {gzipped(t, prompt), "gzip", 200},
		"zstd":            {zstandard(t, prompt), "ZSTD", 200},
		"at the limit":    {strings.Repeat("x", limit), "", 200},
		"over the limit":  {strings.Repeat("x", limit+1), "", 413},
		"gzip bomb":       {gzipped(t, bomb), "gzip", 413},
		"zstd bomb":       {zstandard(t, bomb), "zstd", 413},
		"not gzip":        {"hello", "gzip", 400},
		"not zstd":        {"hello", "zstd", 400},
		"cut gzip":        {gzipped(t, prompt)[:40], "gzip", 400},
		"unknown":         {"hello", "br", 415},
		"two at once":     {"hello", "gzip, zstd", 415},
		"empty":           {"", "", 200},
		"gzip of nothing": {gzipped(t, nil), "gzip", 200},
	} {
		w := do(t, e, "POST", "/echo", c.body, "Content-Encoding", c.encoding)
		if w.Code != c.status {
			t.Errorf("%s: %d %.100s", name, w.Code, w.Body)
		}
		if c.status == 200 && len(c.body) > 1000 && strings.HasPrefix(name, "z") && !bytes.Equal(w.Body.Bytes(), prompt) {
			t.Errorf("%s: the body was changed", name)
		}
		if c.status != 200 && !strings.Contains(w.Body.String(), `"problem"`) {
			t.Errorf("%s: not in the face's words: %s", name, w.Body)
		}
	}
}

func TestChunkedBodyOverTheLimit(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/echo", Handle: echo})}},
		func(c *edge.Config) { c.BodyLimit = 1 << 16 })
	r := httptest.NewRequest("POST", "/echo", io.LimitReader(endless{}, 1<<30)) // of unknown length
	r.Host, r.ContentLength = "localhost", -1
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != 413 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSlowBody(t *testing.T) {
	t.Parallel()
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/echo", Handle: echo})}},
		func(c *edge.Config) { c.BodyTimeout = 20 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(gatewaytest.Serve(t, e), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
		t.Errorf("%d, closes %v", resp.StatusCode, resp.Close)
	}
}

// The deadline of a body must not end the answer that follows it.
func TestBodyDeadlineDoesNotOutliveTheBody(t *testing.T) {
	t.Parallel()
	for limit := 20 * time.Millisecond; ; limit *= 2 {
		e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "POST", Pattern: "/wait", Handle: func(x *edge.Exchange) {
			if _, err := x.Body(); err != nil {
				x.Fail(err)
				return
			}
			passed := time.NewTimer(3 * limit)
			defer passed.Stop()
			select {
			case <-passed.C:
				_ = x.JSON(200, []byte("{}"))
			case <-x.Context().Done():
			}
		}})}}, func(c *edge.Config) { c.BodyTimeout = limit })
		resp, err := gatewaytest.Client(t).Post(gatewaytest.Serve(t, e)+"/wait", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusRequestTimeout && limit < 5*time.Second {
			continue // the body was not read in time
		}
		if resp.StatusCode != 200 {
			t.Errorf("%d", resp.StatusCode)
		}
		return
	}
}

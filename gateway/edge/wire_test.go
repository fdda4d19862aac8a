package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
)

// Pieces of any length arrive whole and in order, and the connection serves the
// next request, whether pieces went through the server's buffers or past them.
func TestStreamsOnOneConnection(t *testing.T) {
	t.Parallel()
	pieces := []string{"first", "", "a", strings.Repeat("b", 16<<10), strings.Repeat("c", 16<<10+1), "d", strings.Repeat("e", 100<<10), "f", "last"}
	e := gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{testFace(edge.Route{Method: "GET", Pattern: "/s", Handle: func(x *edge.Exchange) {
		s := x.Stream(edge.StreamOptions{ContentType: "text/event-stream"})
		defer s.Close()
		for i, piece := range pieces {
			send := s.Send
			if i == len(pieces)-1 {
				send = s.Last
			}
			if err := send([]byte(piece)); err != nil {
				t.Error(err)
			}
		}
	}})}}, nil)
	address := strings.TrimPrefix(gatewaytest.Serve(t, e), "http://")
	for _, version := range []string{"1.1", "1.0"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		read := bufio.NewReader(conn)
		for range 3 {
			fmt.Fprintf(conn, "GET /s HTTP/%s\r\nHost: localhost\r\n\r\n", version)
			resp, err := http.ReadResponse(read, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != strings.Join(pieces, "") {
				t.Fatalf("HTTP/%s: %d bytes, %v", version, len(body), err)
			}
			if version == "1.0" {
				break // the end of such an answer is that of its connection
			}
		}
	}
}

package providertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// Script is what the scripted server answers to one request.
type Script struct {
	// Status is the HTTP status; 0 means 200.
	Status int
	// Header are lines such as "Retry-After: 7".
	Header []string
	// Pieces are the body, each sent as one HTTP chunk in one write.
	Pieces [][]byte
	// Cut closes the connection behind the pieces, without the end that HTTP
	// demands.
	Cut bool
	// Hang leaves the connection silent behind the pieces (before the head where
	// there are none) until the client closes it.
	Hang bool
}

// server answers over connections in memory, so that one write of it is one
// read of the client.
type server struct {
	t      *testing.T
	script func() Script
	group  sync.WaitGroup

	mu   sync.Mutex
	last string        // the last request, in the form of the golden files
	gone chan struct{} // closed when a hanging connection was closed
	hung chan struct{} // closed when the server has begun to hang
}

// serve returns a server and a client whose every connection leads to it.
func serve(t *testing.T, script func() Script) (*server, upstream.Doer) {
	t.Helper()
	s := &server{t: t, script: script, gone: make(chan struct{}), hung: make(chan struct{})}
	doer, err := upstream.New(upstream.Config{Transport: upstream.TransportLean, Dial: s.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		doer.Close()
		s.group.Wait()
	})
	return s, doer
}

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	client, conn := net.Pipe()
	s.group.Go(func() {
		defer conn.Close()
		reader := bufio.NewReader(conn)
		for s.answer(conn, reader) {
		}
	})
	return client, nil
}

// answer serves one request and says whether the connection lives on.
func (s *server) answer(conn net.Conn, reader *bufio.Reader) bool {
	req, err := http.ReadRequest(reader)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false
	}
	s.record(req, body)
	script := s.script()
	if script.Hang && len(script.Pieces) == 0 {
		return s.hang(reader)
	}
	status := script.Status
	if status == 0 {
		status = http.StatusOK
	}
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\nTransfer-Encoding: chunked\r\n", status, http.StatusText(status))
	for _, line := range script.Header {
		head.WriteString(line + "\r\n")
	}
	if !write(conn, head.String()+"\r\n") {
		return false
	}
	for _, piece := range script.Pieces {
		if len(piece) > 0 && !write(conn, fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)) {
			return false
		}
	}
	switch {
	case script.Hang:
		return s.hang(reader)
	case script.Cut:
		return false
	}
	return write(conn, "0\r\n\r\n")
}

// hang waits until the client closes the connection.
func (s *server) hang(reader *bufio.Reader) bool {
	close(s.hung)
	_, _ = reader.ReadByte()
	close(s.gone)
	return false
}

func write(conn net.Conn, text string) bool {
	_, err := io.WriteString(conn, text)
	return err == nil
}

// record keeps a request: its line, its header sorted, its body.
func (s *server) record(req *http.Request, body []byte) {
	var lines []string
	for name, values := range req.Header {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = req.Method + " " + req.RequestURI + "\n" + strings.Join(lines, "\n") + "\n\n" + string(body) + "\n"
}

func (s *server) request() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

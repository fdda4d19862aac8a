package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

// dechunk decodes in, given in pieces of the size, into rooms of the size.
func dechunk(in []byte, size int) (out []byte, used int, done bool, err error) {
	var d dechunker
	room := make([]byte, size)
	for used < len(in) && d.state != chunkedDone {
		piece := in[used:min(len(in), used+size)]
		n, u, err := d.next(room, piece)
		out, used = append(out, room[:n]...), used+u
		if err != nil {
			return out, used, false, err
		}
		if n == 0 && u == 0 {
			return out, used, false, errors.New("no progress")
		}
	}
	return out, used, d.state == chunkedDone, nil
}

// FuzzDechunk holds that the result does not depend on how the body is cut, and that what is accepted means the same to
// the standard library.
func FuzzDechunk(f *testing.F) {
	for _, s := range []string{"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "1;a=b\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\nrest", "a \r\n0123456789\r\nF\r\n", "g\r\n", "1\na\r\n", "fffffffffffffff\r\nx", "1\r\nab\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, used, done, err := dechunk(in, max(1, len(in)))
		for size := 1; size < 4; size++ {
			out, u, d, e := dechunk(in, size)
			if !bytes.Equal(out, whole) || u != used || d != done || (e == nil) != (err == nil) {
				t.Fatalf("in pieces of %d: %q, %d, %v, %v; whole: %q, %d, %v, %v", size, out, u, d, e, whole, used, done, err)
			}
		}
		if !done {
			return
		}
		std, stdErr := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if stdErr == nil && !bytes.Equal(std, whole) {
			t.Fatalf("got %q, the standard library %q", whole, std)
		}
	})
}

// FuzzHead holds that a head is found at the same place however it comes, and that what is accepted means the same to
// the standard library: status, framing, and every field.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.0 200\n\n", "HTTP/1.1 204 No\r\nA: b\r\nconnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: 1\r\n B\r\n\r\n", "HTTP/1.1 200 OK\r\nA : 1\r\n\r\n", "HTTP/1.1 999 \r\nX:\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		end := headEnd(in, 0)
		for i := range in {
			got := headEnd(in[:i], max(i-1, 0))
			if got >= 0 && got != end {
				t.Fatalf("the head ends at %d of %d bytes, and at %d of all", got, i, end)
			}
			if got >= 0 {
				break
			}
		}
		if end < 0 {
			return
		}
		var h head
		if parseHead(string(in[:end]), &h) != nil {
			return
		}
		kind, length, keep, err := h.framing("POST")
		if err != nil {
			return
		}
		for _, f := range h.fields {
			if strings.ContainsAny(f.Name+f.Value, "\r\n\x00") {
				t.Fatalf("field %q", f)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(in[:end])), &http.Request{Method: "POST"})
		if err != nil {
			return // The standard library refuses a few more.
		}
		if resp.StatusCode != h.status {
			t.Fatalf("status %d, the standard library %d", h.status, resp.StatusCode)
		}
		if h.status < 200 {
			return
		}
		switch kind {
		case bodyLength:
			if resp.ContentLength != length {
				t.Fatalf("length %d, the standard library %d", length, resp.ContentLength)
			}
		case bodyChunked:
			if len(resp.TransferEncoding) != 1 {
				t.Fatal("chunked, but not to the standard library")
			}
		case bodyUntilClose:
			if resp.ContentLength != -1 || len(resp.TransferEncoding) != 0 {
				t.Fatal("until close, but not to the standard library")
			}
		case bodyNone:
			if resp.ContentLength != 0 {
				t.Fatal("no body, but not to the standard library")
			}
		}
		if keep && resp.Close {
			t.Fatal("kept, but not by the standard library")
		}
		for name, values := range resp.Header {
			if got := h.fields.Values(name); strings.Join(got, "\n") != strings.Join(values, "\n") && name != "Transfer-Encoding" && name != "Content-Length" {
				t.Fatalf("%s is %q, for the standard library %q", name, got, values)
			}
		}
	})
}

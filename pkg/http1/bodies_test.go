package http1

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/slab"
)

// TestCutBody holds that a handler learns of a body that ended early.
func TestCutBody(t *testing.T) {
	t.Parallel()
	_, address := serve(t, http.HandlerFunc(describe), nil)
	c := dial(t, address)
	c.send("POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if _, body := c.answer("POST"); !strings.Contains(body, `err=unexpected EOF body="ab"`) {
		t.Error(body)
	}
}

// TestTake holds that a body can be had uncopied, once.
func TestTake(t *testing.T) {
	t.Parallel()
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := r.Body.(*Body)
		fmt.Fprintf(w, "%s|%s", body.Take(), body.Take())
	}), nil)
	c := dial(t, address)
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
	if _, body := c.answer("POST"); body != "abc|" {
		t.Error(body)
	}
}

// TestLend holds that what was lent stays as it came until the handler returns, what
// was taken for good, and that requests which came together do not disturb each other.
func TestLend(t *testing.T) {
	t.Parallel()
	var kept [][]byte
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := r.Body.(*Body)
		if !ok {
			return
		}
		lent := body.Lend()
		seen := string(lent)
		if r.URL.Path == "/take" {
			kept = append(kept, body.Take())
			fmt.Fprintf(w, "%s|%s", seen, kept[len(kept)-1])
			return
		}
		rest, _ := io.ReadAll(body)
		fmt.Fprintf(w, "%s|%s", lent, rest)
	}), nil)
	c := dial(t, address)
	var want []string
	// The sizes end before, at and behind the end of the room.
	for _, size := range []int{1, 300, 4800, roomSize - 100, roomSize, 2 * roomSize, 2*roomSize + 1, 70_000, slab.Most, slab.Most + 1} {
		for _, path := range []string{"/lend", "/take"} {
			body := strings.Repeat(string(rune('a'+len(want))), size)
			want = append(want, body)
			c.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, size, body))
			if _, got := c.answer("POST"); got != body+"|"+body {
				t.Errorf("%s of %d bytes: %d bytes, %.40q", path, size, len(got), got)
			}
		}
	}
	fill := roomSize - len("POST /lend HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n")
	for _, size := range []int{fill - 1, fill, fill + 1} {
		c.send(fmt.Sprintf("POST /lend HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
		if _, got := c.answer("POST"); len(got) != 2*size+1 {
			t.Errorf("around a full room: %d bytes of %d", len(got), size)
		}
	}
	var several strings.Builder
	for i := range 12 {
		path := []string{"/lend", "/take"}[i%2]
		fmt.Fprintf(&several, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n%s", path, strings.Repeat(string(rune('A'+i)), 1000))
	}
	c.send(several.String())
	for i := range 12 {
		body := strings.Repeat(string(rune('A'+i)), 1000)
		if _, got := c.answer("POST"); got != body+"|"+body {
			t.Errorf("request %d of those that came together: %.40q", i, got)
		}
	}
	for i, got := range kept[:6] {
		if string(got) != want[2*i+1] {
			t.Errorf("what was taken first changed: %d bytes, %.40q", len(got), got)
		}
	}
}

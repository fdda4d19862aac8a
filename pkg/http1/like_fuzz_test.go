package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Of an answer's head the order of fields does not count, nor its time.
var (
	dates  = regexp.MustCompile("Date: [^\r\n]*")
	fields = regexp.MustCompile("(?:[A-Za-z-]+: [^\r\n]*\r\n)+")
)

// FuzzLikeStandard sends bytes to both servers, with a request behind them, and holds
// that the same comes back: what is one request to the standard library is never two
// here, nor another one, and what it refuses is refused.
func FuzzLikeStandard(f *testing.F) {
	line, host := "POST /told HTTP/1.1\r\n", "Host: x\r\n"
	chunked, length := "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"
	inner := "GET /inner HTTP/1.1\r\nHost: y\r\n\r\n"
	for _, fields := range []string{
		length + chunked, chunked + length, length + length, length + "Content-Length: 6\r\n", "Content-Length: 5, 5\r\n", "Content-Length: 5, 6\r\n", "Content-Length:\r\n", "Content-Length: \r\n" + length,
		"Content-Length: 0x5\r\n", "Content-Length: +5\r\n", "Content-Length: -5\r\n", "Content-Length: 5 \t\r\n", "Content-Length: 5 5\r\n", "Content-Length: 05\r\n", "Content-Length: 1_0\r\n",
		"Content-Length: 99999999999999999999\r\n", "Content-Length: 4294967301\r\n", "Content-Length : 5\r\n", " Content-Length: 5\r\n", "\tContent-Length: 5\r\n", "X: y\r\n Content-Length: 5\r\n", "X: y\r\n\tContent-Length: 5\r\n",
		"Content-Length\x00: 5\r\n", "Content-Length: 5\x00\r\n", "X: \x00\r\n", "X\x00: y\r\n", "X: y\rContent-Length: 5\r\n", "X: y\nContent-Length: 5\r\n", "X: y\r\r\n" + length, ": y\r\n", "X\r\n", "X y: z\r\n", "X: \x7f\r\n", "X: \x80\xff\r\n", "\xc3\xa4: y\r\n",
		"Content_Length: 5\r\n", "content-LENGTH: 5\r\n", "Transfer-Encoding: Chunked\r\n", "Transfer-Encoding:\tchunked\r\n", "Transfer-Encoding: chunked \r\n", "Transfer-Encoding : chunked\r\n", "Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding: \x0bchunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding\r\n: chunked\r\n",
		"Transfer_Encoding: chunked\r\n", "X: y\r\nTransfer-Encoding: chunked\nContent-Length: 5\r\n", "Host: y\r\n", "host: x\r\n", "Host:\r\n", "Expect: 100-continue\r\n" + length, "Expect: 100-continue\r\n" + chunked, "Expect: more\r\n" + length, "Expect:\r\n" + length,
		"Connection: close\r\n" + length, "Connection: close, keep-alive\r\n" + length, "Connection: keep-alive\r\nConnection: close\r\n", "Connection: content-length\r\n" + length, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n", "Trailer: X\r\n" + chunked, "Trailer: Content-Length\r\n" + chunked, "TE: trailers\r\n", "Pragma: no-cache\r\n", "Cookie: a=b\r\nCookie: c=d\r\n",
		"Content-Encoding: gzip\r\n" + length, "X: " + strings.Repeat("y", 9<<10) + "\r\n", strings.Repeat("X: y\r\n", 2000),
	} {
		f.Add([]byte(line+host+fields+"\r\n"+inner[:5]+inner), uint16(0))
	}
	for _, body := range []string{
		"5\r\nabcde\r\n0\r\n\r\n", "5;a=b\r\nabcde\r\n0\r\n\r\n", "5 \r\nabcde\r\n0\r\n\r\n", "5;\nabcde\r\n0\r\n\r\n", "5\nabcde\n0\n\n", "05\r\nabcde\r\n00\r\n\r\n", "0x5\r\nabcde\r\n0\r\n\r\n", "+5\r\nabcde\r\n0\r\n\r\n", "-5\r\nabcde\r\n0\r\n\r\n",
		"5\r\nabcdeX0\r\n\r\n", "5\r\nabcde0\r\n\r\n", "10000000000000005\r\nabcde\r\n0\r\n\r\n", "ffffffffffffffff\r\nabcde\r\n0\r\n\r\n", "7fffffffffffffff\r\nabcde\r\n0\r\n\r\n", "\r\nabcde\r\n0\r\n\r\n", "5\r\nabcde\r\n0\r\nX: y\r\n\r\n", "5\r\nabcde\r\n0\r\nContent-Length: 9\r\n\r\n",
		"5\r\nabcde\r\n0\r\nX: y\n\n", "5\r\nabcde\r\n0\r\n X\r\n\r\n", "5\r\nabcde\r\n0\n\r\n", "5;" + strings.Repeat("x", 8<<10) + "\r\nabcde\r\n0\r\n\r\n", "5\r\nabcde\r\n0\r\n" + strings.Repeat("X: y\r\n", 900) + "\r\n", "5_0\r\nabcde\r\n0\r\n\r\n", "\x005\r\nabcde\r\n0\r\n\r\n",
	} {
		f.Add([]byte(line+host+chunked+"\r\n"+body+inner), uint16(len(line)+50))
	}
	for _, first := range []string{
		"GET http://y/told HTTP/1.1\r\n", "GET https://y:1/told?a=b HTTP/1.1\r\n", "GET //y/told HTTP/1.1\r\n", "GET /told#f HTTP/1.1\r\n", "GET /told%00 HTTP/1.1\r\n", "GET /%zz HTTP/1.1\r\n", "GET /told;a?b;c HTTP/1.1\r\n", "GET /a/../b/./c//d HTTP/1.1\r\n", "GET /\x80 HTTP/1.1\r\n", "GET /a b HTTP/1.1\r\n", "GET  /told HTTP/1.1\r\n",
		"GET /told  HTTP/1.1\r\n", "GET\t/told\tHTTP/1.1\r\n", " GET /told HTTP/1.1\r\n", "\r\nGET /told HTTP/1.1\r\n", "\nGET /told HTTP/1.1\r\n", "GET /told HTTP/1.1 \r\n", "GET /told http/1.1\r\n", "GET /told HTTP/1.10\r\n", "GET /told HTTP/01.1\r\n", "GET /told HTTP/2.0\r\n", "GET /told HTTP/0.9\r\n", "GET /told\r\n", "GET\r\n",
		"get /told HTTP/1.1\r\n", "G\x00T /told HTTP/1.1\r\n", "HEAD /told HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "OPTIONS /told HTTP/1.1\r\n", "* * HTTP/1.1\r\n", "GET * HTTP/1.1\r\n", "CONNECT y:1 HTTP/1.1\r\n", "CONNECT /told HTTP/1.1\r\n", "TRACE /told HTTP/1.1\r\n", "GET told HTTP/1.1\r\n", "GET ?a HTTP/1.1\r\n", "GET  HTTP/1.1\r\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r",
		"GET /" + strings.Repeat("a", 7<<10) + " HTTP/1.1\r\n", "GET /" + strings.Repeat("a", 40<<10) + " HTTP/1.1\r\n", "GET /told HTTP/1.0\r\n", "GET /told HTTP/1.0\r\nConnection: keep-alive\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00", "",
	} {
		f.Add([]byte(first+host+"\r\n"+inner), uint16(3))
		f.Add([]byte(first+"\r\n"+inner), uint16(len(first)))
	}
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header["Pragma"] != nil {
			r.Header.Del("Cache-Control") // the standard library adds what an old field means
		}
		told := httptest.NewRecorder()
		describe(told, r)
		w.Header().Set("Content-Length", strconv.Itoa(told.Body.Len())) // which buffer it fits into does not count
		_, _ = w.Write(told.Body.Bytes())
	})
	_, mine := serve(f, own, nil)
	standard := serveStandard(f, own)
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		if bytes.Contains(in, []byte("HTTP/2")) && bytes.Contains(in, []byte("PRI")) || len(in) > 128<<10 {
			return // frames have no order to be held to
		}
		in = append(bytes.Clone(in), "GET /last HTTP/1.1\r\nHost: z\r\nConnection: close\r\n\r\n"...)
		got, want := back(t, mine, in, int(cut)), back(t, standard, in, int(cut))
		if got != want {
			t.Errorf("%q, cut at %d: got\n%s\nwant\n%s", in, cut, got, want)
		}
	})
}

// back sends bytes in two pieces and no more, and returns what comes.
func back(t *testing.T, address string, in []byte, cut int) string {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := nc.(*net.TCPConn)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		cut = min(cut, len(in))
		_, _ = c.Write(in[:cut])
		_, _ = c.Write(in[cut:])
		_ = c.CloseWrite()
	}()
	out, err := io.ReadAll(c)
	<-sent
	if errors.Is(err, syscall.ECONNRESET) {
		err = nil // of a refused request, whose rest nobody reads
	}
	text := fields.ReplaceAllStringFunc(dates.ReplaceAllString(string(out), "Date: some"), func(lines string) string {
		return strings.Join(sorted(strings.SplitAfter(lines, "\r\n")), "")
	})
	if err != nil {
		text += fmt.Sprintln(err)
	}
	return text
}

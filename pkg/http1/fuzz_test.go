package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"testing"
)

// FuzzHead holds that a head that is taken means the same to net/http.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /a?b=c HTTP/1.1\r\nhost: x:1\r\ncontent-length: 3\r\nA: b\r\nA:  c \r\n\r\n", "GET //a/%2f HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n",
		"GET /a#b HTTP/1.1\r\nHost: x\r\nContent-Length: 007\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nPragma: no-cache\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		end := bytes.Index(in, headEnd)
		if end < 0 {
			return
		}
		end += len(headEnd)
		h := head{fields: http.Header{}}
		if !h.parse(string(in[:end])) {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in[:end])))
		if err != nil {
			t.Fatalf("%q is taken; the standard library: %v", in[:end], err)
		}
		if r.Method != h.method || r.RequestURI != h.target || r.Host != h.host || r.ContentLength != h.length || r.Close != h.last || r.ProtoMinor != 1 || len(r.TransferEncoding) > 0 {
			t.Fatalf("%q is %+v; to the standard library %+v", in[:end], h, r)
		}
		if !reflect.DeepEqual(*r.URL, h.url) {
			t.Fatalf("%q: URL %+v; to the standard library %+v", in[:end], h.url, *r.URL)
		}
		// It adds what an old field means.
		if r.Header.Get("Pragma") != "" && h.fields["Cache-Control"] == nil {
			delete(r.Header, "Cache-Control")
		}
		if !reflect.DeepEqual(r.Header, h.fields) {
			t.Fatalf("%q: fields %q; to the standard library %q", in[:end], h.fields, r.Header)
		}
	})
}

package http1

import (
	"context"
	"fmt"
	"net/http"
	"testing"
)

// TestContextKept holds that a context which outlives its request has nothing to do
// with the requests after it.
func TestContextKept(t *testing.T) {
	t.Parallel()
	var kept []context.Context
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i, earlier := range kept {
			if earlier == r.Context() || earlier.Err() == nil {
				t.Errorf("in request %d the context of request %d: same %v, %v", len(kept), i, earlier == r.Context(), earlier.Err())
			}
		}
		if err := r.Context().Err(); err != nil {
			t.Errorf("request %d: %v", len(kept), err)
		}
		kept = append(kept, r.Context())
		fmt.Fprint(w, r.Method, r.URL.Path, r.ContentLength, r.Header.Get("X-Own"), r.Close)
	}), nil)
	c := dial(t, address)
	for i := range 20 {
		// Nothing of a request is seen in the next one.
		want := "GET/0false"
		if i%2 == 0 {
			want = "POST/even3yesfalse"
			c.send("POST /even HTTP/1.1\r\nHost: x\r\nX-Own: yes\r\nContent-Length: 3\r\n\r\nabc")
		} else {
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		if _, body := c.answer("GET"); body != want {
			t.Errorf("request %d: %q", i, body)
		}
	}
}

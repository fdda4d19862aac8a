package upstream_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// TestBodyIsTheCallersAgain changes a body as soon as its request has failed, while the
// server has yet to read most of it.
func TestBodyIsTheCallersAgain(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		begun, read := make(chan struct{}), make(chan []byte, 1)
		failed := make(chan struct{})
		at := serve(t, func(p *peer) {
			if _, err := p.in.Peek(1); err != nil {
				return
			}
			close(begun)
			<-failed
			all, _ := io.ReadAll(p.in)
			read <- all
		})
		c := client(t, upstream.Config{Transport: transport})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-begun
			cancel()
		}()
		body := bytes.Repeat([]byte("a"), 32<<20)
		_, err := c.Do(ctx, &upstream.Request{Method: "POST", Target: at, Body: body})
		if err == nil {
			t.Fatal("a request that was cancelled was answered")
		}
		for i := range body {
			body[i] = '#'
		}
		close(failed)
		if all := <-read; bytes.Contains(all, []byte("#")) {
			t.Error("what the caller wrote behind the end of the request was sent")
		}
	})
}

package gpt_test

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// TestNoMoreFiles: that this process can open no connection is not the provider's
// fault, which is asked again as soon as there are files.
func TestNoMoreFiles(t *testing.T) {
	t.Parallel()
	for transport, short := range map[string]error{
		upstream.TransportAuto: syscall.EMFILE, upstream.TransportLean: syscall.EADDRNOTAVAIL, upstream.TransportStandard: syscall.ENFILE,
	} {
		t.Run(transport+": "+short.Error(), func(t *testing.T) {
			t.Parallel()
			var enough atomic.Bool
			client, err := upstream.New(upstream.Config{
				Transport: transport,
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					if enough.Load() {
						return new(net.Dialer).DialContext(ctx, network, address)
					}
					return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("socket", short)}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			r := start(t, setup{
				config:   func(c *gpt.Config) { c.Retry.MaxAttempts = 1 },
				env:      openai(t, script(whole)),
				upstream: client,
			})
			for range 8 {
				if got := r.generate(t.Context(), ask("m")); got.reason() != "OVERLOADED" {
					t.Fatal(got.reason(), got.err)
				}
			}
			enough.Store(true)
			if got := r.generate(t.Context(), ask("m")); got.reason() != "finished" {
				t.Error(got.reason(), got.err)
			}
		})
	}
}

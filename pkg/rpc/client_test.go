package rpc_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/pkg/rpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/test/bufconn"
)

// A room that was away for long is found within seconds of its return.
func TestARoomIsFoundSoonAfterItsReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener, server := bufconn.Listen(1<<16), grpc.NewServer()
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		var back atomic.Bool
		conn, err := rpc.Dial(rpc.ClientConfig{Room: "session", Address: "127.0.0.1:1", Dialer: func(ctx context.Context, _ string) (net.Conn, error) {
			if !back.Load() {
				return nil, errors.New("nobody listens")
			}
			return listener.DialContext(ctx)
		}})
		if err != nil {
			t.Fatal(err)
		}
		conn.Connect()
		time.Sleep(10 * time.Minute) // less than a connection stays without calls before it is idle
		back.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
			conn.Connect()
			if !conn.WaitForStateChange(ctx, state) {
				t.Errorf("it is still %s after five seconds", state)
				break
			}
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

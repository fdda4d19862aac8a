package rpc

import (
	"context"
	"net"
	"runtime"
	"testing"
)

func TestNear(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:4711": true, "localhost:4711": true, "[::1]:4711": true, "dns:///localhost:4711": true, "127.0.0.1:1, 127.0.0.2:2": true,
		"127.0.0.1:1,10.0.0.1:2": false, "session.internal:4711": false, "0.0.0.0:4711": false, "dns://8.8.8.8/localhost:1": false, "unix:///run/x": false, "localhost": false,
	} {
		if got := near(address); got != want {
			t.Errorf("near(%q) is %t", address, got)
		}
	}
}

// TestDialNear: a listener's own machine reaches it by the unix socket while
// there is one, and by TCP otherwise.
func TestDialNear(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	network := func() string {
		conn, err := dialNear(context.Background(), tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.RemoteAddr().Network()
	}
	if got := network(); got != "tcp" {
		t.Errorf("without a socket beside it: %s", got)
	}
	beside := ListenNear(tcp.Addr())
	if runtime.GOOS != "linux" {
		return
	}
	if len(beside) != 1 {
		t.Fatalf("%d listeners", len(beside))
	}
	if got := network(); got != "unix" {
		t.Errorf("with a socket beside it: %s", got)
	}
	if again := ListenNear(tcp.Addr()); again != nil {
		t.Errorf("a name that is taken was taken again: %v", again)
	}
	beside[0].Close()
	if got := network(); got != "tcp" {
		t.Errorf("after the socket was closed: %s", got)
	}
	if l := ListenNear(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 4711}); l != nil {
		t.Errorf("beside an address of a network: %v", l)
	}
}

package harness

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
)

// ports are given out below the range from which the system takes the ports of
// outgoing connections, so that nobody has a port between its choice and its
// use. Test binaries that run side by side begin at different places.
var ports struct {
	sync.Mutex
	next int
}

const (
	firstPort = 12000
	portCount = 20000
)

// Address returns an address of this machine on which nobody listens.
func Address(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.next == 0 {
		ports.next = os.Getpid() * 1009
	}
	for range portCount {
		ports.next++
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+ports.next%portCount)
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatal("harness: no free port")
	return ""
}

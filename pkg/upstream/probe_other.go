//go:build !unix

package upstream

import (
	"net"
	"syscall"
)

// probe looks whether an unused connection is still fit for a request. Without BSD sockets it finds all of them fit, and
// a closed one is found by the request that fails on it.
type probe struct {
	raw syscall.RawConn // nil: such sockets are not read by system calls
}

func newProbe(net.Conn) *probe { return nil }

func (p *probe) fit() bool { return true }

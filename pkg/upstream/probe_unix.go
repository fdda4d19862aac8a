//go:build unix

package upstream

import (
	"net"
	"syscall"

	"github.com/gptmesh/gptmesh/pkg/socket"
)

// probe looks whether an unused connection is still fit for a request.
type probe struct {
	raw   syscall.RawConn
	peek  func(fd uintptr) bool
	quiet bool
}

// newProbe returns nil for a connection that is no socket.
func newProbe(c net.Conn) *probe {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &probe{raw: raw}
	p.peek = func(fd uintptr) bool {
		p.quiet = socket.Silent(fd)
		return true
	}
	return p
}

// fit reports whether the connection is open and silent. One on which bytes lie that nobody asked for must not be used:
// they would be taken for the answer.
func (p *probe) fit() bool {
	if p == nil {
		return true
	}
	p.quiet = false
	return p.raw.Read(p.peek) == nil && p.quiet
}

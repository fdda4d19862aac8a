package rpc

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// Processes of one machine that know each other by a loopback address speak over
// a unix socket, which costs a third less than TCP does. Its name is made of that
// address and stands in no file system: like the address it belongs to one
// network namespace and is gone with its process. A connection over TCP is made
// where there is none.

// ListenNear returns listeners for clients on this machine, beside one at address.
// Where the address cannot be reached by loopback, the name is taken or the system
// knows no such sockets, there are none.
func ListenNear(address net.Addr) []net.Listener {
	at, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return nil
	}
	hosts := []netip.Addr{at.Addr().Unmap()}
	if at.Addr().IsUnspecified() {
		hosts = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	var out []net.Listener
	for _, host := range hosts {
		if !host.IsLoopback() {
			continue
		}
		if l := listenNear(netip.AddrPortFrom(host, at.Port()).String()); l != nil {
			out = append(out, l)
		}
	}
	return out
}

// near says whether every host of an address of ClientConfig is this machine by
// its name, so that no proxy or resolver has a say in how it is reached.
func near(address string) bool {
	address = strings.TrimPrefix(address, "dns:///")
	if strings.Contains(address, "://") || strings.HasPrefix(address, "unix:") {
		return false
	}
	for _, one := range strings.Split(address, ",") {
		name, _, err := net.SplitHostPort(strings.TrimSpace(one))
		if err != nil {
			return false
		}
		ip, err := netip.ParseAddr(name)
		if name != "localhost" && (err != nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// dialNear connects to a resolved address of this machine, by its unix socket if
// there is one.
func dialNear(ctx context.Context, address string) (net.Conn, error) {
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().IsLoopback() {
		if conn := connectNear(ctx, at.String()); conn != nil {
			return conn, nil
		}
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

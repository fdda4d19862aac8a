package rpc

import (
	"context"
	"net"

	"github.com/gptmesh/gptmesh/pkg/socket"
	"google.golang.org/grpc/credentials"
)

// overSockets shakes hands over connections of package socket. It is a matter of
// credentials because gRPC sets options of the sockets before.
type overSockets struct {
	credentials.TransportCredentials
}

// ClientHandshake implements credentials.TransportCredentials.
func (c overSockets) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c.TransportCredentials.ClientHandshake(ctx, authority, socket.Conn(raw))
}

// ServerHandshake implements credentials.TransportCredentials.
func (c overSockets) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c.TransportCredentials.ServerHandshake(socket.Conn(raw))
}

// Clone implements credentials.TransportCredentials.
func (c overSockets) Clone() credentials.TransportCredentials {
	return overSockets{c.TransportCredentials.Clone()}
}

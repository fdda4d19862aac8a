package rpc

import (
	"time"

	"github.com/gptmesh/gptmesh/gen/caller"
	"github.com/gptmesh/gptmesh/gen/packing"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Both sides of a connection name their windows, which turns off the estimator
// that otherwise sends a ping for nearly every lone chunk of a stream.
const (
	streamWindow     = 1 << 20
	connectionWindow = 8 << 20
)

// MaxMessageBytes bounds a message between rooms: the largest body that a face
// takes, and room for what goes with it.
const MaxMessageBytes = 72 << 20

// streamWorkers are goroutines that take one call after the other and keep their
// stacks, which a call through rooms grows several times. Calls that find none
// free get a goroutine of their own.
const streamWorkers = 128

// ServerConfig says how a server listens.
type ServerConfig struct {
	// TLS is used where enabled.
	TLS TLSConfig
	// DemandCertificate refuses clients without a certificate where TLS is used:
	// for a mesh without keys.
	DemandCertificate bool
	// Chain is what every call passes through.
	Chain *caller.Chain
}

// NewServer makes a gRPC server. The caller registers services, checks
// Policies.Cover, and serves.
func NewServer(config ServerConfig) (*grpc.Server, error) {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(packing.Codec{}),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.MaxRecvMsgSize(MaxMessageBytes),
		grpc.MaxSendMsgSize(MaxMessageBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 60 * time.Second, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if config.Chain != nil {
		options = append(options, grpc.ChainUnaryInterceptor(config.Chain.Unary...), grpc.ChainStreamInterceptor(config.Chain.Stream...))
	}
	transport := insecure.NewCredentials()
	if config.TLS.Enabled() {
		tls, err := config.TLS.Server(config.DemandCertificate)
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(tls)
	}
	options = append(options, grpc.Creds(overSockets{transport}))
	return grpc.NewServer(options...), nil
}

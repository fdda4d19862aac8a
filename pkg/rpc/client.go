package rpc

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/gen/packing"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ClientConfig says how a room is reached.
type ClientConfig struct {
	// Room is the room's name, for errors.
	Room string
	// Address is "host:port", a list of them with commas, "dns:///name:port" or
	// "unix:///path".
	Address string
	// TLS is used where enabled.
	TLS TLSConfig
	// Secret is the mesh secret that is shown where there is no TLS.
	Secret string
	// Policies tell which methods may be sent again.
	Policies *Policies
	// Dialer connects to an address. Nil means TCP or a unix socket: that of
	// ListenNear where all addresses are loopback.
	Dialer func(ctx context.Context, address string) (net.Conn, error)
}

// reconnecting says how soon a room that could not be reached is tried again:
// gRPC's own pauses grow to two minutes, for which one that is back would not be
// found.
var reconnecting = backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}

// Dial makes a connection to a room. It does not wait for it: calls wait until
// the room can be reached or their context is done. Calls go round the room's
// instances in turn; idempotent methods are sent again where an instance could
// not be reached.
func Dial(config ClientConfig) (*grpc.ClientConn, error) {
	if err := CheckAddress(config.Address); err != nil {
		return nil, err
	}
	target, resolvers := target(config.Address)
	transport := insecure.NewCredentials()
	if config.TLS.Enabled() {
		tls, err := config.TLS.Client()
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(tls)
	}
	out := outgoing{room: config.Room, secret: config.Secret}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(overSockets{transport}),
		grpc.WithDefaultServiceConfig(serviceConfig(config.Policies)),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connectionWindow),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(packing.Codec{}), grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.MaxCallSendMsgSize(MaxMessageBytes)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnecting, MinConnectTimeout: 5 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithChainUnaryInterceptor(out.unary),
		grpc.WithChainStreamInterceptor(out.stream),
	}
	switch {
	case config.Dialer != nil:
		options = append(options, grpc.WithContextDialer(config.Dialer))
	case near(config.Address):
		options = append(options, grpc.WithContextDialer(dialNear))
	}
	if len(resolvers) > 0 {
		options = append(options, grpc.WithResolvers(resolvers...))
	}
	return grpc.NewClient(target, options...)
}

// serviceConfig is gRPC's configuration of balancing and retries.
func serviceConfig(policies *Policies) string {
	var names strings.Builder
	if policies != nil {
		for _, m := range policies.retriable() {
			service, method, _ := strings.Cut(m.Full[1:], "/")
			if names.Len() > 0 {
				names.WriteByte(',')
			}
			names.WriteString(`{"service":"` + service + `","method":"` + method + `"}`)
		}
	}
	config := `{"loadBalancingConfig":[{"round_robin":{}}]`
	if names.Len() > 0 {
		config += `,"methodConfig":[{"name":[` + names.String() + `],"retryPolicy":{"maxAttempts":3,"initialBackoff":"0.05s",` +
			`"maxBackoff":"1s","backoffMultiplier":2,"retryableStatusCodes":["UNAVAILABLE"]}}]`
	}
	return config + "}"
}

// outgoing puts the call context into metadata and reads transport errors.
type outgoing struct{ room, secret string }

func (o outgoing) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoker grpc.UnaryInvoker, options ...grpc.CallOption) error {
	return o.read(invoker(o.context(ctx), method, req, reply, conn, options...))
}

func (o outgoing) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := streamer(o.context(ctx), desc, conn, method, options...)
	if err != nil {
		return nil, o.read(err)
	}
	return &readingStream{ClientStream: stream, out: o}, nil
}

type readingStream struct {
	grpc.ClientStream
	out outgoing
}

// RecvMsg implements grpc.ClientStream. A transport that fails here had taken
// the call: the room may have begun it.
func (s *readingStream) RecvMsg(m any) error {
	err := s.out.read(s.ClientStream.RecvMsg(m))
	if f, ok := err.(*fault.Fault); ok {
		f.Metadata["call"] = fault.CallBegun
	}
	return err
}

func (o outgoing) context(ctx context.Context) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx) // a copy
	if !ok {
		md = make(metadata.MD, 4)
	}
	values := make([]string, 0, 4)
	set := func(key, value string) {
		values = append(values, value)
		md[key] = values[len(values)-1 : len(values) : len(values)]
	}
	call := callctx.From(ctx)
	if call.RequestID != "" {
		set(RequestIDKey, call.RequestID)
	}
	if call.Principal.ID != "" {
		set(principalKey, call.Principal.ID)
	}
	if call.Depth > 0 {
		set(depthKey, strconv.Itoa(call.Depth))
	}
	if o.secret != "" {
		set(secretKey, o.secret)
	}
	inject(ctx, md)
	return metadata.NewOutgoingContext(ctx, md)
}

// read names the room in errors that came from the transport and not from a
// room: those of the mesh carry details.
func (o outgoing) read(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	s, ok := status.FromError(err)
	if !ok || s.Code() != codes.Unavailable || len(s.Details()) > 0 {
		return err
	}
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE,
		"the "+o.room+" room cannot be reached", "room", o.room).WithCause(err)
}

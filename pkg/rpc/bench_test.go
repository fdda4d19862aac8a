package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"buf.build/go/protovalidate"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

func messages(n int) *sessionv1.AppendMessagesRequest {
	req := &sessionv1.AppendMessagesRequest{SessionId: "s"}
	for i := range n {
		req.Messages = append(req.Messages, &conversationv1.Message{
			Role:  conversationv1.Role_ROLE_USER,
			Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: fmt.Sprint("message ", i)}}},
		})
	}
	return req
}

// BenchmarkValidation holds a request to the rules of its contract.
func BenchmarkValidation(b *testing.B) {
	validator, err := protovalidate.New()
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("messages=%d", n), func(b *testing.B) {
			req := messages(n)
			b.ReportAllocs()
			for b.Loop() {
				if err := Validate(validator, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWireChain passes a unary call through all that stands before a room on a
// wire, with so many keys.
func BenchmarkWireChain(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			var config auth.Config
			for i := range n {
				config.APIKeys = append(config.APIKeys, fmt.Sprintf("sk-%032d", i))
			}
			known, err := auth.New(config)
			if err != nil {
				b.Fatal(err)
			}
			validator, err := protovalidate.New()
			if err != nil {
				b.Fatal(err)
			}
			policies, err := LoadPolicies()
			if err != nil {
				b.Fatal(err)
			}
			metrics, err := NewCallMetrics(prometheus.NewRegistry())
			if err != nil {
				b.Fatal(err)
			}
			logger := slog.New(slog.DiscardHandler)
			chain, err := NewChain(policies, Wire{
				Logger: logger, Metrics: metrics, Authenticator: known,
				Limiter: ratelimit.New(ratelimit.Config{API: 1 << 40, Window: 1 << 40}, nil), Validator: validator,
			}.Interceptor())
			if err != nil {
				b.Fatal(err)
			}
			handler := func(context.Context, any) (any, error) { return &sessionv1.AppendMessagesResponse{}, nil }
			info := &grpc.UnaryServerInfo{FullMethod: sessionv1.SessionService_AppendMessages_FullMethodName}
			for i := len(chain.Unary) - 1; i >= 0; i-- {
				interceptor, next := chain.Unary[i], handler
				handler = func(ctx context.Context, req any) (any, error) { return interceptor(ctx, req, info, next) }
			}
			callers := make([]context.Context, n)
			for i, key := range config.APIKeys {
				callers[i] = metadata.NewIncomingContext(b.Context(), metadata.Pairs("authorization", "Bearer "+key))
			}
			req, at := messages(1), 0
			b.ReportAllocs()
			for b.Loop() {
				at++
				if _, err := handler(callers[at*7919%n], req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

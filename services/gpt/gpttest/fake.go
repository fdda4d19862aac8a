// Package gpttest is a gpt room with scripted answers, for the tests of rooms
// that call it. It keeps the promises of the contract: whoever scripts the
// chunks answers for their order.
package gpttest

import (
	"context"
	"slices"
	"strings"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Script is one answer of Generate.
type Script struct {
	// Chunks are sent in order; each call gets its own copies.
	Chunks []*conversationv1.Chunk
	// Gate, when set, is received from before each chunk and before the end: send
	// to it to let one step happen, close it to let the rest.
	Gate <-chan struct{}
	// Hang waits behind the chunks until the caller leaves.
	Hang bool
	// Err is what the call returns behind the chunks. Nil means OK.
	Err error
}

// Fake is a gpt room. Its zero value answers every turn with "ok" and has the
// model "fake". It is safe for concurrent use; fields are set before the first
// call.
type Fake struct {
	gptv1.UnimplementedGPTServiceServer

	// Model is what GetModel and ListModels show. Nil means a model "fake".
	Model *gptv1.Model
	// Attempts are what ListAttempts shows.
	Attempts []*gptv1.Attempt

	mu      sync.Mutex
	scripts []Script
	calls   []*gptv1.GenerateRequest
	left    chan error
}

// Push adds answers for the next calls of Generate.
func (f *Fake) Push(scripts ...Script) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts = append(f.scripts, scripts...)
}

// Calls returns the requests of Generate so far.
func (f *Fake) Calls() []*gptv1.GenerateRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Left tells, for each call of Generate that its caller left, why.
func (f *Fake) Left() <-chan error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leaving()
}

func (f *Fake) leaving() chan error {
	if f.left == nil {
		f.left = make(chan error, 1024)
	}
	return f.left
}

// Generate implements gptv1.GPTServiceServer.
func (f *Fake) Generate(req *gptv1.GenerateRequest, stream grpc.ServerStreamingServer[gptv1.GenerateResponse]) error {
	f.mu.Lock()
	f.calls = append(f.calls, proto.Clone(req).(*gptv1.GenerateRequest))
	script := Script{Chunks: Answer("ok")}
	if len(f.scripts) > 0 {
		script, f.scripts = f.scripts[0], f.scripts[1:]
	}
	left := f.leaving()
	f.mu.Unlock()
	err := script.play(stream)
	if cause := stream.Context().Err(); cause != nil {
		select {
		case left <- cause:
		default:
		}
	}
	return err
}

func (s *Script) play(stream grpc.ServerStreamingServer[gptv1.GenerateResponse]) error {
	ctx := stream.Context()
	for _, chunk := range s.Chunks {
		if err := s.step(ctx); err != nil {
			return err
		}
		copied := proto.Clone(chunk).(*conversationv1.Chunk)
		if err := stream.Send(&gptv1.GenerateResponse{Chunk: copied}); err != nil {
			return err
		}
	}
	if s.Hang {
		<-ctx.Done()
		return fault.From(ctx.Err())
	}
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Err
}

func (s *Script) step(ctx context.Context) error {
	if s.Gate == nil {
		return nil
	}
	select {
	case <-s.Gate:
		return nil
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
}

func (f *Fake) model() *gptv1.Model {
	if f.Model != nil {
		return f.Model
	}
	return &gptv1.Model{
		Id: "fake", Provider: "fake", ProviderModel: "fake", IsDefault: true, ContextLength: 8192,
		Capabilities: []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_TOOLS},
	}
}

// GetModel implements gptv1.GPTServiceServer.
func (f *Fake) GetModel(_ context.Context, req *gptv1.GetModelRequest) (*gptv1.GetModelResponse, error) {
	model := f.model()
	if name := req.GetModel(); name != "" && name != "auto" && name != model.GetId() && !slices.Contains(model.GetAliases(), name) {
		return nil, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "there is no model "+name, "model", name)
	}
	return &gptv1.GetModelResponse{Model: model}, nil
}

// ListModels implements gptv1.GPTServiceServer.
func (f *Fake) ListModels(context.Context, *gptv1.ListModelsRequest) (*gptv1.ListModelsResponse, error) {
	return &gptv1.ListModelsResponse{Models: []*gptv1.Model{f.model()}}, nil
}

// ListProviders implements gptv1.GPTServiceServer.
func (f *Fake) ListProviders(context.Context, *gptv1.ListProvidersRequest) (*gptv1.ListProvidersResponse, error) {
	return &gptv1.ListProvidersResponse{Providers: []*gptv1.Provider{{
		Name: "fake", Kind: "fake", State: gptv1.Provider_STATE_HEALTHY, ModelCount: 1, TestProvider: true,
	}}}, nil
}

// ListAttempts implements gptv1.GPTServiceServer.
func (f *Fake) ListAttempts(context.Context, *gptv1.ListAttemptsRequest) (*gptv1.ListAttemptsResponse, error) {
	return &gptv1.ListAttemptsResponse{Attempts: f.Attempts}, nil
}

// CountTokens implements gptv1.GPTServiceServer: words of text, or a quarter of
// the raw half's bytes.
func (f *Fake) CountTokens(_ context.Context, req *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
	n := (len(req.GetTurn().GetRaw().GetBody()) + 3) / 4
	for _, message := range req.GetTurn().GetMessages() {
		for _, part := range message.GetParts() {
			n += len(strings.Fields(part.GetText()))
		}
	}
	return &gptv1.CountTokensResponse{InputTokens: int64(n), Tokenizer: "words"}, nil
}

// Embed implements gptv1.GPTServiceServer: each vector holds the length of its
// text.
func (f *Fake) Embed(_ context.Context, req *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error) {
	resp := &gptv1.EmbedResponse{Model: f.model().GetId(), Provider: "fake", Usage: &conversationv1.Usage{Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}}
	for _, input := range req.GetInputs() {
		resp.Embeddings = append(resp.Embeddings, &gptv1.Embedding{Values: []float32{float32(len(input.GetText()))}})
		resp.Usage.InputTokens++
	}
	return resp, nil
}

// Package gatewaytest holds fakes of the rooms that the gateway calls, and a
// client's side that sees what really goes over the wire. For tests only.
package gatewaytest

import (
	"context"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Request is a request room whose Submit does as Script says. Other methods
// panic.
type Request struct {
	requestv1.RequestServiceCaller
	// Script answers. It must be set before the first call.
	Script func(ctx context.Context, request *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error

	mu   sync.Mutex
	last *requestv1.SubmitRequest
}

// Submit implements requestv1.RequestServiceCaller.
func (r *Request) Submit(ctx context.Context, request *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
	r.mu.Lock()
	r.last = request
	r.mu.Unlock()
	return r.Script(ctx, request, sink)
}

// Last is the last request that was submitted.
func (r *Request) Last() *requestv1.SubmitRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Chunks is a script that sends chunks, after the request as accepted, and
// takes each back like a real room: what is kept of a chunk is spoilt.
func Chunks(chunks ...*conversationv1.Chunk) func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
	return func(ctx context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
		accepted := &requestv1.Request{Id: "req_1", ResponseId: "resp_1", State: requestv1.Request_STATE_ACCEPTED}
		if err := sink(&requestv1.SubmitResponse{Request: accepted}); err != nil {
			return err
		}
		for _, chunk := range chunks {
			lent := proto.CloneOf(chunk)
			err := sink(&requestv1.SubmitResponse{Chunk: lent})
			if lent.GetRaw() != nil {
				clear(lent.Raw.Data)
			}
			proto.Reset(lent)
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// GPT is a gpt room with fixed models. Methods that are not set panic.
type GPT struct {
	gptv1.GPTServiceCaller
	// Models are what there is.
	Models []*gptv1.Model
	// EmbedFunc embeds.
	EmbedFunc func(ctx context.Context, request *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error)
	// ForwardFunc passes calls on. Nil has nobody to pass them on to.
	ForwardFunc func(ctx context.Context, request *gptv1.ForwardRequest, sink func(*gptv1.ForwardResponse) error) error
	// UploadFunc takes bodies of any length. Nil has nobody to pass them on to.
	UploadFunc func(ctx context.Context, source func() (*gptv1.UploadRequest, error)) (*gptv1.UploadResponse, error)
}

// ListModels implements gptv1.GPTServiceCaller, two models a page.
func (g *GPT) ListModels(_ context.Context, request *gptv1.ListModelsRequest) (*gptv1.ListModelsResponse, error) {
	from := len(request.GetPageToken())
	resp := &gptv1.ListModelsResponse{Models: g.Models[from:min(from+2, len(g.Models))]}
	if from+2 < len(g.Models) {
		resp.NextPageToken = request.GetPageToken() + "xx"
	}
	return resp, nil
}

// GetModel implements gptv1.GPTServiceCaller.
func (g *GPT) GetModel(_ context.Context, request *gptv1.GetModelRequest) (*gptv1.GetModelResponse, error) {
	for _, m := range g.Models {
		if m.GetId() == request.GetModel() {
			return &gptv1.GetModelResponse{Model: m}, nil
		}
	}
	return nil, NoModel(request.GetModel())
}

// Embed implements gptv1.GPTServiceCaller.
func (g *GPT) Embed(ctx context.Context, request *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error) {
	return g.EmbedFunc(ctx, request)
}

// Forward implements gptv1.GPTServiceCaller.
func (g *GPT) Forward(ctx context.Context, request *gptv1.ForwardRequest, sink func(*gptv1.ForwardResponse) error) error {
	if g.ForwardFunc != nil {
		return g.ForwardFunc(ctx, request, sink)
	}
	return fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, "no configured provider can do this",
		"field", "model", "model", request.GetModel())
}

// Upload implements gptv1.GPTServiceCaller.
func (g *GPT) Upload(ctx context.Context, source func() (*gptv1.UploadRequest, error)) (*gptv1.UploadResponse, error) {
	if g.UploadFunc != nil {
		return g.UploadFunc(ctx, source)
	}
	return nil, fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, "no configured provider can do this", "field", "model")
}

// NoModel is the fault of a model that no provider has.
func NoModel(model string) error {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "no provider has the model "+model, "model", model)
}

package ollama

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
)

var _ provider.Forwarder = (*Provider)(nil)

// endpoint is where an operation is; a path that ends in a slash goes on with
// the digest.
type endpoint struct{ method, path string }

var endpoints = map[gptv1.Operation]endpoint{
	gptv1.Operation_OPERATION_MODEL_PULL:   {"POST", "/api/pull"},
	gptv1.Operation_OPERATION_MODEL_PUSH:   {"POST", "/api/push"},
	gptv1.Operation_OPERATION_MODEL_CREATE: {"POST", "/api/create"},
	gptv1.Operation_OPERATION_MODEL_COPY:   {"POST", "/api/copy"},
	gptv1.Operation_OPERATION_MODEL_DELETE: {"DELETE", "/api/delete"},
	gptv1.Operation_OPERATION_BLOB_CHECK:   {"HEAD", "/api/blobs/"},
	gptv1.Operation_OPERATION_BLOB_PUT:     {"POST", "/api/blobs/"},
}

// Forwards implements provider.Forwarder.
func (p *Provider) Forwards(operation gptv1.Operation) bool { return endpoints[operation].path != "" }

// Forward implements provider.Forwarder.
func (p *Provider) Forward(ctx context.Context, call *provider.ForwardCall, sink func(*gptv1.ForwardResponse) error) error {
	at := endpoints[call.Operation]
	passage := transport.Passage{Method: at.method, Path: at.path, Name: at.path, ContentType: call.ContentType, Body: call.Body}
	switch call.Operation {
	case gptv1.Operation_OPERATION_BLOB_CHECK:
		passage.Path, passage.Body = at.path+call.Digest, nil
	case gptv1.Operation_OPERATION_BLOB_PUT:
		passage.Path, passage.ContentType = at.path+call.Digest, "application/octet-stream"
		if passage.Stream = call.Stream; passage.Stream == nil && passage.Body == nil {
			passage.Body = []byte{}
		}
	}
	return p.client.Pass(ctx, passage, sink)
}

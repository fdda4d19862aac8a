package provider

import (
	"context"
	"io"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// Forwarder is a provider to which calls can be passed on as they are. A
// Provider that is none has no such calls.
type Forwarder interface {
	// Forwards says whether the provider's dialect has the operation. A server
	// may lack it all the same.
	Forwards(operation gptv1.Operation) bool

	// Forward makes the call and pushes the answer into sink: first its status
	// and headers, then the body in pieces as they come, each lent for the
	// duration of the sink's call.
	//
	// It returns nil after the whole answer, also where its status is an error
	// that is about the client's own request. Any other error status, and a
	// server without the operation, is an error before the first push. Errors
	// are like Generate's; the connection is closed at once when ctx is done.
	Forward(ctx context.Context, call *ForwardCall, sink func(*gptv1.ForwardResponse) error) error
}

// ForwardCall is a call that is passed on. It is read-only for the adapter.
type ForwardCall struct {
	// Operation says which call.
	Operation gptv1.Operation
	// ContentType is that of Body.
	ContentType string
	// Body is sent as it is.
	Body []byte
	// Stream is sent in Body's place, where it is set. It may still be read a
	// moment after Forward has returned.
	Stream io.Reader
	// Digest is the blob's, where the operation is about one.
	Digest string
}

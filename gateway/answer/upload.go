package answer

import (
	"io"

	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// uploadPiece is how much of a body one message carries.
const uploadPiece = 256 << 10

// Uploading is one body of any length that is passed on as it comes.
type Uploading struct {
	// Exchange is where it comes from.
	Exchange *edge.Exchange
	// GPT takes it.
	GPT gptv1.GPTServiceCaller
	// Operation says which call.
	Operation gptv1.Operation
	// Digest is the blob's.
	Digest string
	// Body is the body.
	Body io.Reader
}

// Upload passes a body on and writes the provider's answer, which may come
// before the body's end. It keeps one piece of the body in memory.
func Upload(u Uploading) {
	x := u.Exchange
	id := x.RequestID()
	next := &gptv1.UploadRequest{Operation: u.Operation, Digest: u.Digest, RequestId: id[:min(len(id), maxRequestID)]}
	piece, begun, ended := make([]byte, uploadPiece), false, false
	resp, err := u.GPT.Upload(x.Context(), func() (*gptv1.UploadRequest, error) {
		if ended {
			return nil, io.EOF
		}
		n, err := io.ReadFull(u.Body, piece)
		switch {
		// Not errors.Is: a body that was cut may have such a cause.
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			ended = true
			if n == 0 && begun {
				return nil, io.EOF
			}
		case err != nil:
			return nil, err
		}
		if begun {
			next = &gptv1.UploadRequest{}
		}
		begun = true
		next.Data = piece[:n]
		return next, nil
	})
	if err != nil {
		x.Fail(err)
		return
	}
	passHeaders(x.Header(), resp.GetHeaders())
	x.WriteHeader(int(resp.GetStatus()))
	if len(resp.GetData()) > 0 {
		_, _ = x.Write(resp.GetData()) // a client that left hears nothing
	}
}

package gpt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"sync/atomic"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// maxUploadAnswer bounds what a provider may answer to an upload.
const maxUploadAnswer = 1 << 20

// errAnswered is what writes of a body get that nobody reads any more.
var errAnswered = errors.New("the provider has answered")

// Upload implements gptv1.GPTServiceServer. The body goes through a pipe: one
// piece of it is in memory at a time. Silence of either side ends it, not its
// length.
func (s *Service) Upload(stream grpc.ClientStreamingServer[gptv1.UploadRequest, gptv1.UploadResponse]) error {
	arrived := s.deps.Clock()
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return fault.InvalidField("operation", "must be set")
	}
	if err != nil {
		return err
	}
	req := &gptv1.ForwardRequest{Operation: first.GetOperation(), Digest: first.GetDigest(), RequestId: first.GetRequestId()}
	if req.GetOperation() != gptv1.Operation_OPERATION_BLOB_PUT {
		return fault.InvalidField("operation", "must be OPERATION_BLOB_PUT")
	}
	if err := checkForward(req); err != nil {
		return err
	}
	admitted, err := s.calls.begin(stream.Context())
	if err != nil {
		return err
	}
	defer admitted.done()
	var ctx context.Context = admitted
	ctx, alive, cancel := s.lasting(ctx, true)
	defer cancel()
	plan, err := s.forwardPlan(ctx, req)
	if err != nil {
		return s.ended(ctx, err, "")
	}

	body, pieces := io.Pipe()
	once := &onceRead{Reader: body}
	answer := &uploadAnswer{}
	answered := make(chan error, 1)
	go func() {
		err := s.pass(ctx, passing{
			request: req, plan: plan, arrived: arrived, alive: alive, sink: answer.add, spent: once.begun.Load,
			outbound: func(string) (*provider.ForwardCall, error) {
				return &provider.ForwardCall{Operation: req.GetOperation(), Digest: req.GetDigest(), Stream: once}, nil
			},
		})
		body.CloseWithError(errAnswered)
		answered <- err
	}()
	unhook := context.AfterFunc(ctx, func() { pieces.CloseWithError(context.Cause(ctx)) })
	defer unhook()
	sent := feed(stream, first.GetData(), pieces, alive)
	if sent != nil {
		pieces.CloseWithError(sent)
	} else {
		pieces.Close()
	}
	err = <-answered
	switch {
	case answer.whole(err):
		return stream.SendAndClose(&answer.response)
	case sent != nil && !errors.Is(sent, errAnswered) && ctx.Err() == nil:
		return sent
	}
	return err
}

// feed writes what comes into the pipe, up to the end.
func feed(stream grpc.ClientStreamingServer[gptv1.UploadRequest, gptv1.UploadResponse], data []byte, pipe *io.PipeWriter, alive func()) error {
	for {
		if len(data) > 0 {
			if _, err := pipe.Write(data); err != nil {
				return err
			}
		}
		alive()
		next, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data = next.GetData()
	}
}

// onceRead says whether a body was read from: it cannot be sent again then.
type onceRead struct {
	io.Reader
	begun atomic.Bool
}

func (o *onceRead) Read(p []byte) (int, error) {
	o.begun.Store(true)
	return o.Reader.Read(p)
}

// uploadAnswer gathers a provider's answer.
type uploadAnswer struct {
	response gptv1.UploadResponse
	body     bytes.Buffer
}

func (a *uploadAnswer) add(piece *gptv1.ForwardResponse) error {
	if piece.GetStatus() != 0 {
		a.response.Status, a.response.Headers = piece.GetStatus(), maps.Clone(piece.GetHeaders())
	}
	if a.body.Len()+len(piece.GetData()) > maxUploadAnswer {
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider's answer is too large")
	}
	a.body.Write(piece.GetData())
	return nil
}

// whole says that there is an answer to pass back.
func (a *uploadAnswer) whole(err error) bool {
	a.response.Data = a.body.Bytes()
	return err == nil && a.response.GetStatus() != 0
}

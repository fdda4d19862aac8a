// Package responsetest is the response room for the tests of other rooms, in
// memory.
//
//	fake := responsetest.New()
//	responses := responsev1.LocalResponseService(fake, nil)
//
// It numbers chunks, keeps the log, and answers Watch, Get, Cancel and Delete
// by it. It does no post-processing, caching or appending to sessions, decodes
// no raw half, lists on one page, and does not tell owners apart.
package responsetest

import (
	"context"
	"slices"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Script makes one answer: it sends chunks, without sequence numbers. An error,
// or an end without a terminal event, becomes what the room makes of it.
type Script func(ctx context.Context, req *responsev1.GenerateRequest, send func(events ...*conversationv1.Event) error) error

// Fake is a response room in memory. It is safe for concurrent use.
type Fake struct {
	responsev1.UnsafeResponseServiceServer // every RPC must be there

	mu      sync.Mutex
	script  Script
	calls   []*responsev1.GenerateRequest
	answers map[string]*answer
}

type answer struct {
	response *responsev1.Response
	log      []*conversationv1.Chunk
	changed  chan struct{} // closed and replaced at each chunk
	cancel   context.CancelFunc
	early    error // the failure before the first chunk
}

var _ responsev1.ResponseServiceServer = (*Fake)(nil)

// New returns a room whose answers are "Hello" until Play.
func New() *Fake { return &Fake{script: Says("Hel", "lo"), answers: map[string]*answer{}} }

// Play sets what later answers are.
func (f *Fake) Play(s Script) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script = s
}

// Calls are the requests to Generate so far.
func (f *Fake) Calls() []*responsev1.GenerateRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Says is a script that answers with these pieces of text, one a chunk.
func Says(pieces ...string) Script {
	return func(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		events := []*conversationv1.Event{Started()}
		for _, piece := range pieces {
			if err := send(append(events, Text(piece))...); err != nil {
				return err
			}
			events = nil
		}
		return send(append(events, Ending()...)...)
	}
}

// Started is the first event of an answer.
func Started() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "m-1", Provider: "echo"}}}
}

// Text is a piece of text.
func Text(s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: s}}}
}

// Ending is the good end of an answer, usage included.
func Ending() []*conversationv1.Event {
	return []*conversationv1.Event{
		{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: conversationv1.FinishReason_FINISH_REASON_STOP}}},
		{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{InputTokens: 3, OutputTokens: 2, Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}}},
		{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}},
	}
}

// Generate implements the RPC. With DRAIN or DETACH the script goes on when the
// caller leaves.
func (f *Fake) Generate(req *responsev1.GenerateRequest, stream grpc.ServerStreamingServer[responsev1.GenerateResponse]) error {
	ctx := stream.Context()
	f.mu.Lock()
	id := req.GetResponseId()
	if id == "" {
		id = ids.New("resp")
	}
	if f.answers[id] != nil {
		f.mu.Unlock()
		return fault.New(codes.AlreadyExists, meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS, "the response id is taken", "id", id)
	}
	stays := req.GetOnDisconnect() >= responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN
	base := ctx
	if stays {
		base = context.WithoutCancel(ctx)
	}
	runCtx, cancel := context.WithCancel(base)
	a := &answer{
		response: &responsev1.Response{
			Id: id, RequestId: req.GetRequestId(), SessionId: req.GetSessionId(),
			State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now(),
		},
		changed: make(chan struct{}), cancel: cancel,
	}
	f.answers[id] = a
	f.calls = append(f.calls, proto.CloneOf(req))
	script := f.script
	f.mu.Unlock()

	send := func(chunk *conversationv1.Chunk) error {
		return stream.Send(&responsev1.GenerateResponse{Chunk: chunk})
	}
	if !stays {
		defer cancel()
		return f.make(runCtx, a, script, req, send)
	}
	go func() { // ends with its script, or with Cancel
		defer cancel()
		_ = f.make(runCtx, a, script, req, func(*conversationv1.Chunk) error { return nil })
	}()
	for i := 0; ; i++ {
		chunk, err := f.await(ctx, id, i)
		if err != nil || chunk == nil {
			return err
		}
		if i == 0 && a.early != nil {
			return a.early
		}
		if err := send(chunk); err != nil {
			return err
		}
	}
}

// make plays a script to its end.
func (f *Fake) make(ctx context.Context, a *answer, script Script, req *responsev1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
	err := script(ctx, req, func(events ...*conversationv1.Event) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := send(f.add(a, events)); err != nil {
			a.cancel()
			return err
		}
		return nil
	})
	return f.end(ctx, a, err, send)
}

// add numbers and logs a chunk.
func (f *Fake) add(a *answer, events []*conversationv1.Event) *conversationv1.Chunk {
	f.mu.Lock()
	defer f.mu.Unlock()
	chunk := &conversationv1.Chunk{Sequence: int64(len(a.log) + 1)}
	for _, event := range events {
		event = proto.CloneOf(event)
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Started:
			kind.Started.ResponseId, kind.Started.SessionId = a.response.GetId(), a.response.GetSessionId()
			a.response.Model, a.response.Provider = kind.Started.GetModel(), kind.Started.GetProvider()
		case *conversationv1.Event_Usage:
			a.response.Usage = proto.CloneOf(kind.Usage)
		case *conversationv1.Event_Finished:
			a.response.State = responsev1.Response_STATE_COMPLETED
		case *conversationv1.Event_Failed:
			a.response.State, a.response.Failure = responsev1.Response_STATE_FAILED, proto.CloneOf(kind.Failed)
			if kind.Failed.GetReason() == meshv1.ErrorReason_ERROR_REASON_CANCELLED {
				a.response.State = responsev1.Response_STATE_CANCELLED
			}
		}
		chunk.Events = append(chunk.Events, event)
	}
	a.log = append(a.log, chunk)
	a.response.LastSequence = chunk.GetSequence()
	close(a.changed)
	a.changed = make(chan struct{})
	return proto.CloneOf(chunk)
}

// end makes an end where the script made none.
func (f *Fake) end(ctx context.Context, a *answer, err error, send func(*conversationv1.Chunk) error) error {
	f.mu.Lock()
	n, final := len(a.log), a.response.GetState() != responsev1.Response_STATE_RUNNING
	f.mu.Unlock()
	if final {
		return nil
	}
	switch {
	case ctx.Err() != nil:
		err = fault.From(ctx.Err())
	case err == nil:
		err = fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the answer was cut off")
	}
	events := []*conversationv1.Event{{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(err)}}}
	if n == 0 {
		a.early = fault.From(err) // before the chunk that lets others look
		f.add(a, append([]*conversationv1.Event{Started()}, events...))
		return a.early
	}
	return send(f.add(a, events))
}

func (f *Fake) find(id string) (*answer, error) {
	if a := f.answers[id]; a != nil {
		return a, nil
	}
	return nil, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND, "there is no such response", "response_id", id)
}

// WatchResponse implements the RPC.
func (f *Fake) WatchResponse(req *responsev1.WatchResponseRequest, stream grpc.ServerStreamingServer[responsev1.WatchResponseResponse]) error {
	for i := int(req.GetAfterSequence()); ; i++ {
		chunk, err := f.await(stream.Context(), req.GetResponseId(), i)
		if err != nil || chunk == nil {
			return err
		}
		if err := stream.Send(&responsev1.WatchResponseResponse{Chunk: chunk}); err != nil {
			return err
		}
	}
}

// await waits for chunk i; nil after the end.
func (f *Fake) await(ctx context.Context, id string, i int) (*conversationv1.Chunk, error) {
	for {
		f.mu.Lock()
		a, err := f.find(id)
		if err != nil {
			f.mu.Unlock()
			return nil, err
		}
		if i < len(a.log) {
			defer f.mu.Unlock()
			return proto.CloneOf(a.log[i]), nil
		}
		changed, final := a.changed, a.response.GetState() != responsev1.Response_STATE_RUNNING
		f.mu.Unlock()
		if final {
			return nil, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fault.From(ctx.Err())
		}
	}
}

// GetResponse implements the RPC.
func (f *Fake) GetResponse(_ context.Context, req *responsev1.GetResponseRequest) (*responsev1.GetResponseResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, err := f.find(req.GetResponseId())
	if err != nil {
		return nil, err
	}
	return &responsev1.GetResponseResponse{Response: proto.CloneOf(a.response)}, nil
}

// ListResponses implements the RPC.
func (f *Fake) ListResponses(_ context.Context, req *responsev1.ListResponsesRequest) (*responsev1.ListResponsesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &responsev1.ListResponsesResponse{}
	for _, a := range f.answers {
		if req.GetSessionId() == "" || req.GetSessionId() == a.response.GetSessionId() {
			out.Responses = append(out.Responses, proto.CloneOf(a.response))
		}
	}
	slices.SortFunc(out.Responses, func(a, b *responsev1.Response) int {
		return b.GetCreateTime().AsTime().Compare(a.GetCreateTime().AsTime())
	})
	return out, nil
}

// CancelResponse implements the RPC. It does not wait for the end.
func (f *Fake) CancelResponse(_ context.Context, req *responsev1.CancelResponseRequest) (*responsev1.CancelResponseResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.GetRequestId() != "" && f.answers[req.GetResponseId()] == nil {
		f.answers[req.GetResponseId()] = &answer{
			response: &responsev1.Response{
				Id: req.GetResponseId(), RequestId: req.GetRequestId(), State: responsev1.Response_STATE_CANCELLED,
				CreateTime: timestamppb.Now(), FinishTime: timestamppb.Now(),
			},
			changed: make(chan struct{}), cancel: func() {},
		}
	}
	a, err := f.find(req.GetResponseId())
	if err != nil {
		return nil, err
	}
	a.cancel()
	return &responsev1.CancelResponseResponse{Response: proto.CloneOf(a.response)}, nil
}

// DeleteResponse implements the RPC.
func (f *Fake) DeleteResponse(_ context.Context, req *responsev1.DeleteResponseRequest) (*responsev1.DeleteResponseResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, err := f.find(req.GetResponseId())
	if err != nil {
		return nil, err
	}
	a.cancel()
	delete(f.answers, req.GetResponseId())
	return &responsev1.DeleteResponseResponse{}, nil
}

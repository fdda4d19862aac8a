// Package requesttest is the request room for the tests of faces, in memory.
//
//	fake := requesttest.New()
//	requests := requestv1.LocalRequestService(fake, nil)
//
// It numbers the chunks of a scripted answer, sets the request on the first and
// the last message, keeps requests by id, and makes an end where the script
// makes none. It checks nothing, joins no session and chooses no model; the
// same idempotency key gives the same chunks again, or IDEMPOTENCY_CONFLICT;
// lists come on one page.
package requesttest

import (
	"context"
	"slices"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Script makes one answer: it sends chunks, without sequence numbers. An error
// before the first chunk is the call's status; after it, a failed event.
type Script func(ctx context.Context, req *requestv1.SubmitRequest, send func(*conversationv1.Chunk) error) error

// Fake is a request room in memory. It is safe for concurrent use.
type Fake struct {
	requestv1.UnsafeRequestServiceServer // every RPC must be there

	mu       sync.Mutex
	script   Script
	calls    []*requestv1.SubmitRequest
	requests map[string]*entry
	keys     map[string]*entry
	order    []string
	work     sync.WaitGroup
}

type entry struct {
	request *requestv1.Request
	submit  *requestv1.SubmitRequest
	chunks  []*conversationv1.Chunk
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
}

var _ requestv1.RequestServiceServer = (*Fake)(nil)

// New returns a room whose answers are "Hello" until Play.
func New() *Fake {
	return &Fake{script: Says("Hel", "lo"), requests: map[string]*entry{}, keys: map[string]*entry{}}
}

// Play sets what later answers are.
func (f *Fake) Play(s Script) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script = s
}

// Calls are the turns that were submitted so far.
func (f *Fake) Calls() []*requestv1.SubmitRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Wait waits for detached answers.
func (f *Fake) Wait() { f.work.Wait() }

// Says is a script that answers with these pieces of text, one a chunk, and
// usage at the end.
func Says(pieces ...string) Script {
	chunks := make([]*conversationv1.Chunk, 0, len(pieces)+1)
	events := []*conversationv1.Event{{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "m-1", Provider: "echo"}}}}
	for _, piece := range pieces {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: piece}}})
		chunks = append(chunks, &conversationv1.Chunk{Events: events})
		events = nil
	}
	events = append(events,
		&conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: conversationv1.FinishReason_FINISH_REASON_STOP}}},
		&conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{InputTokens: 3, OutputTokens: 2, Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}}},
		&conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}})
	return Sends(append(chunks, &conversationv1.Chunk{Events: events})...)
}

// Sends is a script that sends these chunks as they are, raw halves included.
func Sends(chunks ...*conversationv1.Chunk) Script {
	return func(_ context.Context, _ *requestv1.SubmitRequest, send func(*conversationv1.Chunk) error) error {
		for _, chunk := range chunks {
			if err := send(proto.CloneOf(chunk)); err != nil {
				return err
			}
		}
		return nil
	}
}

// Fails is a script that fails before the first chunk.
func Fails(err error) Script {
	return func(context.Context, *requestv1.SubmitRequest, func(*conversationv1.Chunk) error) error { return err }
}

// Submit implements the RPC.
func (f *Fake) Submit(req *requestv1.SubmitRequest, stream grpc.ServerStreamingServer[requestv1.SubmitResponse]) error {
	e, first, err := f.enter(stream.Context(), req, false)
	if err != nil {
		return err
	}
	if !first {
		return f.replay(stream.Context(), e, req.GetAfterSequence(), func(request *requestv1.Request, chunk *conversationv1.Chunk) error {
			return stream.Send(&requestv1.SubmitResponse{Request: request, Chunk: chunk})
		})
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	return f.run(ctx, e, cancel, func(request *requestv1.Request, chunk *conversationv1.Chunk) error {
		return stream.Send(&requestv1.SubmitResponse{Request: request, Chunk: chunk})
	})
}

// SubmitDetached implements the RPC.
func (f *Fake) SubmitDetached(ctx context.Context, req *requestv1.SubmitDetachedRequest) (*requestv1.SubmitDetachedResponse, error) {
	e, first, err := f.enter(ctx, req.GetSubmit(), true)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	out := proto.CloneOf(e.request)
	f.mu.Unlock()
	if first {
		runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f.work.Go(func() {
			defer cancel()
			_ = f.run(runCtx, e, cancel, nil)
		})
	}
	return &requestv1.SubmitDetachedResponse{Request: out}, nil
}

// enter adds a request, or finds the one that holds its key.
func (f *Fake) enter(ctx context.Context, req *requestv1.SubmitRequest, detached bool) (*entry, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, proto.CloneOf(req))
	owner := callctx.Owner(ctx)
	key := owner + "\x00" + req.GetIdempotencyKey()
	if e := f.keys[key]; e != nil && req.GetIdempotencyKey() != "" {
		if !proto.Equal(e.submit, req) {
			return nil, false, fault.New(codes.AlreadyExists, meshv1.ErrorReason_ERROR_REASON_IDEMPOTENCY_CONFLICT,
				"idempotency_key: was used with another request", "request_id", e.request.GetId())
		}
		return e, false, nil
	}
	now := timestamppb.Now()
	e := &entry{submit: proto.CloneOf(req), done: make(chan struct{}), cancel: func() {}, request: &requestv1.Request{
		Id: ids.New("req"), Owner: owner, UserId: req.GetUserId(), SessionId: req.GetSessionId(), ResponseId: ids.New("resp"),
		State: requestv1.Request_STATE_ACCEPTED, IdempotencyKey: req.GetIdempotencyKey(), Model: req.GetTurn().GetModel(),
		Decision: &requestv1.Decision{RequestedModel: req.GetTurn().GetModel(), Model: req.GetTurn().GetModel(), Policy: "asked"},
		Metadata: req.GetMetadata(), CreateTime: now, UpdateTime: now, Detached: detached,
	}}
	f.requests[e.request.GetId()] = e
	f.order = append(f.order, e.request.GetId())
	if req.GetIdempotencyKey() != "" {
		f.keys[key] = e
	}
	return e, true, nil
}

// run plays the script. send is nil for a detached request.
func (f *Fake) run(ctx context.Context, e *entry, cancel context.CancelFunc, send func(*requestv1.Request, *conversationv1.Chunk) error) error {
	defer close(e.done)
	f.mu.Lock()
	e.cancel = cancel
	script := f.script
	f.mu.Unlock()
	pass := func(chunk *conversationv1.Chunk) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		request, numbered := f.add(e, chunk)
		if send == nil {
			return nil
		}
		return send(request, numbered)
	}
	err := script(ctx, e.submit, pass)
	f.mu.Lock()
	n, final := len(e.chunks), e.request.GetState() >= requestv1.Request_STATE_COMPLETED
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
	failed := &conversationv1.Chunk{Events: []*conversationv1.Event{{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(err)}}}}
	if n == 0 {
		e.err = fault.From(err)
		f.finish(e, failed)
		return e.err
	}
	request, numbered := f.add(e, failed)
	if send == nil {
		return nil
	}
	return send(request, numbered)
}

// add numbers and keeps a chunk. The request is set where the contract says
// so.
func (f *Fake) add(e *entry, chunk *conversationv1.Chunk) (*requestv1.Request, *conversationv1.Chunk) {
	last := wire.Last(chunk) != nil
	if last {
		f.finish(e, chunk)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	chunk = proto.CloneOf(chunk)
	chunk.Sequence = int64(len(e.chunks) + 1)
	for _, event := range chunk.GetEvents() {
		if started := event.GetStarted(); started != nil {
			started.ResponseId, started.SessionId = e.request.GetResponseId(), e.request.GetSessionId()
		}
	}
	e.chunks = append(e.chunks, chunk)
	var request *requestv1.Request
	if last || len(e.chunks) == 1 {
		request = proto.CloneOf(e.request)
	}
	if !last {
		e.request.State = requestv1.Request_STATE_RUNNING
	}
	return request, proto.CloneOf(chunk)
}

// finish makes the request final by its terminal chunk.
func (f *Fake) finish(e *entry, chunk *conversationv1.Chunk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.request.State, e.request.FinishTime = requestv1.Request_STATE_COMPLETED, timestamppb.Now()
	for _, event := range chunk.GetEvents() {
		if event.GetUsage() != nil {
			e.request.Usage = proto.CloneOf(event.GetUsage())
		}
	}
	if failure := wire.Last(chunk).GetFailed(); failure != nil {
		e.request.Failure, e.request.State = proto.CloneOf(failure), requestv1.Request_STATE_FAILED
		if failure.GetReason() == meshv1.ErrorReason_ERROR_REASON_CANCELLED {
			e.request.State = requestv1.Request_STATE_CANCELLED
		}
	}
}

// replay gives an answer again, when it is whole.
func (f *Fake) replay(ctx context.Context, e *entry, after int64, send func(*requestv1.Request, *conversationv1.Chunk) error) error {
	select {
	case <-e.done:
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
	if e.err != nil {
		return e.err
	}
	shown := e.request
	for i, chunk := range e.chunks {
		if chunk.GetSequence() <= after {
			continue
		}
		if i == len(e.chunks)-1 {
			shown = e.request
		}
		if err := send(shown, chunk); err != nil {
			return err
		}
		shown = nil
	}
	return nil
}

func (f *Fake) find(ctx context.Context, id string) (*entry, error) {
	if e := f.requests[id]; e != nil && e.request.GetOwner() == callctx.Owner(ctx) {
		return e, nil
	}
	return nil, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_REQUEST_NOT_FOUND, "there is no such request", "request_id", id)
}

// Watch implements the RPC: an answer is given when it is whole.
func (f *Fake) Watch(req *requestv1.WatchRequest, stream grpc.ServerStreamingServer[requestv1.WatchResponse]) error {
	f.mu.Lock()
	e, err := f.find(stream.Context(), req.GetRequestId())
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.replay(stream.Context(), e, req.GetAfterSequence(), func(request *requestv1.Request, chunk *conversationv1.Chunk) error {
		return stream.Send(&requestv1.WatchResponse{Request: request, Chunk: chunk})
	})
}

// GetRequest implements the RPC.
func (f *Fake) GetRequest(ctx context.Context, req *requestv1.GetRequestRequest) (*requestv1.GetRequestResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, err := f.find(ctx, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	return &requestv1.GetRequestResponse{Request: proto.CloneOf(e.request)}, nil
}

// ListRequests implements the RPC, by user, session and state.
func (f *Fake) ListRequests(ctx context.Context, req *requestv1.ListRequestsRequest) (*requestv1.ListRequestsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &requestv1.ListRequestsResponse{}
	for _, id := range slices.Backward(f.order) {
		r := f.requests[id].request
		if r.GetOwner() == callctx.Owner(ctx) &&
			(req.GetUserId() == "" || req.GetUserId() == r.GetUserId()) &&
			(req.GetSessionId() == "" || req.GetSessionId() == r.GetSessionId()) &&
			(len(req.GetStates()) == 0 || slices.Contains(req.GetStates(), r.GetState())) {
			out.Requests = append(out.Requests, proto.CloneOf(r))
		}
	}
	return out, nil
}

// CancelRequest implements the RPC.
func (f *Fake) CancelRequest(ctx context.Context, req *requestv1.CancelRequestRequest) (*requestv1.CancelRequestResponse, error) {
	f.mu.Lock()
	e, err := f.find(ctx, req.GetRequestId())
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	e.cancel()
	f.mu.Unlock()
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, fault.From(ctx.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if state := e.request.GetState(); state != requestv1.Request_STATE_CANCELLED {
		return nil, fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_ILLEGAL_TRANSITION, "the request is in a final state",
			"from", state.String(), "to", requestv1.Request_STATE_CANCELLED.String())
	}
	return &requestv1.CancelRequestResponse{Request: proto.CloneOf(e.request)}, nil
}

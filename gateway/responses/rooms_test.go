package responses_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/responses"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
	"github.com/gptmesh/gptmesh/wire"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mesh is the face over rooms in memory.
type mesh struct {
	t        *testing.T
	requests *requests
	answers  *responsetest.Fake
	sessions *sessiontest.Fake
	edge     *edge.Edge
	url      string
	client   *http.Client
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	m := &mesh{t: t, answers: responsetest.New(), sessions: sessiontest.New()}
	m.requests = &requests{
		t: t, rows: map[string]*requestv1.Request{},
		answers: responsev1.LocalResponseService(m.answers, nil), sessions: sessionv1.LocalSessionService(m.sessions, nil),
	}
	t.Cleanup(m.requests.work.Wait)
	config := responses.DefaultConfig()
	config.Heartbeat = 0
	face, err := responses.New(config, responses.Deps{Request: m.requests, Response: m.requests.answers, Session: m.requests.sessions, GPT: counter{}})
	if err != nil {
		t.Fatal(err)
	}
	face.Prefixes = append(face.Prefixes, "/")
	m.serve(face)
	m.client = gatewaytest.Client(t)
	return m
}

func (m *mesh) serve(face edge.Face) {
	m.t.Helper()
	m.edge = gatewaytest.Edge(m.t, edge.Deps{Faces: []edge.Face{face}}, nil)
	m.url = gatewaytest.Serve(m.t, m.edge)
}

// requests is a request room: it joins turns with sessions and sees to it that
// sessions get them, as the request and response rooms do together.
type requests struct {
	requestv1.RequestServiceCaller
	t        *testing.T
	answers  responsev1.ResponseServiceCaller
	sessions sessionv1.SessionServiceCaller
	work     sync.WaitGroup
	hold     chan struct{} // detached turns begin when it is closed; nil at once

	mu   sync.Mutex
	n    int
	last *requestv1.SubmitRequest
	rows map[string]*requestv1.Request
}

// Last is the last turn that was submitted.
func (r *requests) Last() *requestv1.SubmitRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *requests) accept(submit *requestv1.SubmitRequest) *requestv1.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	r.last = submit
	now := timestamppb.Now()
	row := &requestv1.Request{
		Id: fmt.Sprintf("req_%d", r.n), ResponseId: ids.At("resp", now.AsTime()), SessionId: submit.GetSessionId(), Model: submit.GetTurn().GetModel(),
		Metadata: submit.GetMetadata(), CreateTime: now, State: requestv1.Request_STATE_ACCEPTED,
	}
	if row.SessionId == "new" {
		row.SessionId = fmt.Sprintf("ses_%d", r.n)
	}
	r.rows[row.Id] = row
	return proto.CloneOf(row)
}

func (r *requests) finish(id string, state requestv1.Request_State, failure *conversationv1.Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[id].State, r.rows[id].Failure = state, failure
}

func (r *requests) Submit(ctx context.Context, submit *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
	row := r.accept(submit)
	return r.run(ctx, submit, row, sink)
}

func (r *requests) SubmitDetached(ctx context.Context, req *requestv1.SubmitDetachedRequest) (*requestv1.SubmitDetachedResponse, error) {
	row := r.accept(req.GetSubmit())
	hold := r.hold
	r.work.Go(func() {
		if hold != nil {
			<-hold
		}
		if r.get(row.GetId()).GetState() == requestv1.Request_STATE_CANCELLED {
			return
		}
		_ = r.run(context.WithoutCancel(ctx), req.GetSubmit(), row, func(*requestv1.SubmitResponse) error { return nil })
	})
	return &requestv1.SubmitDetachedResponse{Request: row}, nil
}

func (r *requests) run(ctx context.Context, submit *requestv1.SubmitRequest, row *requestv1.Request, sink func(*requestv1.SubmitResponse) error) error {
	turn, added, err := r.join(ctx, submit, row)
	if err != nil {
		return err
	}
	if err := sink(&requestv1.SubmitResponse{Request: row}); err != nil {
		return err
	}
	var assembler wire.Assembler
	err = r.answers.Generate(ctx, &responsev1.GenerateRequest{
		ResponseId: row.GetResponseId(), RequestId: row.GetId(), Turn: turn, SessionId: row.GetSessionId(), NewMessages: added, OnDisconnect: submit.GetOnDisconnect(),
	}, func(step *responsev1.GenerateResponse) error {
		chunk := step.GetChunk()
		_ = assembler.Add(chunk.GetEvents()...)
		switch last := wire.Last(chunk); {
		case last.GetFinished() != nil:
			r.keep(ctx, row, added, assembler.Answer())
			r.finish(row.GetId(), requestv1.Request_STATE_COMPLETED, nil)
		case last.GetFailed() != nil:
			r.finish(row.GetId(), requestv1.Request_STATE_FAILED, last.GetFailed())
		}
		return sink(&requestv1.SubmitResponse{Chunk: chunk})
	})
	if err != nil {
		r.finish(row.GetId(), requestv1.Request_STATE_FAILED, wire.Failure(err))
	}
	return err
}

// keep appends a turn and its answer to its session.
func (r *requests) keep(ctx context.Context, row *requestv1.Request, added []*conversationv1.Message, answer *wire.Answer) {
	if row.GetSessionId() == "" || len(answer.Choices) == 0 {
		return
	}
	appended := &sessionv1.AppendMessagesRequest{SessionId: row.GetSessionId()}
	for i, m := range added {
		m = proto.CloneOf(m)
		if m.Id == "" {
			m.Id = fmt.Sprintf("%s.%d", row.GetResponseId(), i)
		}
		appended.Messages = append(appended.Messages, m)
	}
	answer.Choices[0].Message.Id = row.GetResponseId()
	appended.Messages = append(appended.Messages, answer.Choices[0].Message)
	if _, err := r.sessions.AppendMessages(ctx, appended); err != nil {
		r.t.Errorf("append: %v", err)
	}
}

// join does what the request room does; history that a turn does not begin with
// is an error of the face.
func (r *requests) join(ctx context.Context, submit *requestv1.SubmitRequest, row *requestv1.Request) (turn *conversationv1.Turn, added []*conversationv1.Message, err error) {
	turn = submit.GetTurn()
	typed := turn
	if turn.GetRaw() != nil {
		if typed, err = wireresponses.Codec().DecodeTurn(turn.GetRaw().GetBody()); err != nil {
			return nil, nil, err
		}
	}
	if submit.GetSessionId() == "" {
		return turn, nil, nil
	}
	var stored []*conversationv1.Message
	if submit.GetSessionId() == "new" {
		_, err = r.sessions.CreateSession(ctx, &sessionv1.CreateSessionRequest{SessionId: row.GetSessionId()})
	} else {
		var got *sessionv1.GetContextResponse
		got, err = r.sessions.GetContext(ctx, &sessionv1.GetContextRequest{SessionId: submit.GetSessionId()})
		stored = got.GetMessages()
	}
	if err != nil {
		return nil, nil, err
	}
	system, rest := partition(typed.GetMessages())
	storedSystem, history := partition(stored)
	if len(rest) < len(history) {
		r.t.Error("a turn lacks history")
		return turn, nil, nil
	}
	for i, m := range history {
		for j, part := range m.GetParts() {
			if !proto.Equal(part, rest[i].GetParts()[j]) {
				r.t.Errorf("a turn has other history: %v and not %v", rest[i], m)
			}
		}
	}
	if len(storedSystem) == 0 {
		added = append(added, system...)
	}
	added = append(added, rest[len(history):]...)
	if len(system) == 0 && len(storedSystem) > 0 {
		turn = proto.CloneOf(typed)
		turn.Messages = append(append([]*conversationv1.Message{}, storedSystem...), typed.GetMessages()...)
	}
	return turn, added, nil
}

func partition(messages []*conversationv1.Message) (system, rest []*conversationv1.Message) {
	for _, m := range messages {
		if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
			system = append(system, m)
		} else {
			rest = append(rest, m)
		}
	}
	return system, rest
}

func (r *requests) get(id string) *requestv1.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return proto.CloneOf(r.rows[id])
}

func (r *requests) GetRequest(_ context.Context, req *requestv1.GetRequestRequest) (*requestv1.GetRequestResponse, error) {
	row := r.get(req.GetRequestId())
	if row == nil {
		return nil, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_REQUEST_NOT_FOUND, "none", "request_id", req.GetRequestId())
	}
	return &requestv1.GetRequestResponse{Request: row}, nil
}

func (r *requests) ListRequests(_ context.Context, req *requestv1.ListRequestsRequest) (*requestv1.ListRequestsResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &requestv1.ListRequestsResponse{}
	for _, row := range r.rows {
		at := row.GetCreateTime().AsTime()
		if !at.Before(req.GetAfter().AsTime()) && at.Before(req.GetBefore().AsTime()) {
			out.Requests = append(out.Requests, proto.CloneOf(row))
		}
	}
	return out, nil
}

func (r *requests) CancelRequest(_ context.Context, req *requestv1.CancelRequestRequest) (*requestv1.CancelRequestResponse, error) {
	cancelled := fault.New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "cancelled")
	r.finish(req.GetRequestId(), requestv1.Request_STATE_CANCELLED, wire.Failure(cancelled))
	return &requestv1.CancelRequestResponse{Request: r.get(req.GetRequestId())}, nil
}

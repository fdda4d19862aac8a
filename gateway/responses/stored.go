package responses

import (
	"context"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// stored is a response that can be asked for again.
type stored struct {
	id       string
	response *responsev1.Response // nil where the answer was never begun
	request  *requestv1.Request   // nil where the request is forgotten
	echo     *wireresponses.Echo
}

// load finds a response of the caller's. The error is that of gone for one that
// is not there, or was not to be stored.
func (f *face) load(ctx context.Context, id string, gone func(string) error) (*stored, error) {
	s := &stored{id: id, echo: &wireresponses.Echo{}}
	got, err := f.rooms.Response.GetResponse(ctx, &responsev1.GetResponseRequest{ResponseId: id})
	switch {
	case err == nil:
		s.response = got.GetResponse()
		if s.response.GetRequestId() != "" {
			got, err := f.rooms.Request.GetRequest(ctx, &requestv1.GetRequestRequest{RequestId: s.response.GetRequestId()})
			if err != nil && !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_REQUEST_NOT_FOUND) {
				return nil, err
			}
			s.request = got.GetRequest()
		}
	case fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND):
		if s.request, err = f.unanswered(ctx, id); err != nil {
			return nil, err
		}
		// One that was completed has been deleted since.
		if s.request == nil || s.request.GetState() == requestv1.Request_STATE_COMPLETED {
			return nil, gone(id)
		}
	default:
		return nil, err
	}
	if s.request != nil {
		s.echo = echoOf(s.request.GetMetadata())
	}
	if !s.echo.Stored() {
		return nil, gone(id)
	}
	return s, nil
}

// unanswered finds the request of a response that is not begun: the two are
// named at the same time. It returns nil where there is none.
func (f *face) unanswered(ctx context.Context, id string) (*requestv1.Request, error) {
	at, ok := wireresponses.TimeOf(id)
	if !ok {
		return nil, nil
	}
	request := &requestv1.ListRequestsRequest{
		After: timestamppb.New(at), Before: timestamppb.New(at.Add(time.Millisecond)), PageSize: 1000,
	}
	list, err := f.rooms.Request.ListRequests(ctx, request)
	if err != nil {
		return nil, err
	}
	for _, r := range list.GetRequests() {
		if r.GetResponseId() == id {
			return r, nil
		}
	}
	return nil, nil
}

// final says whether the response has ended.
func (s *stored) final() bool {
	if s.response != nil {
		return s.response.GetState() != responsev1.Response_STATE_RUNNING
	}
	switch s.request.GetState() {
	case requestv1.Request_STATE_ACCEPTED, requestv1.Request_STATE_RUNNING:
		return false
	}
	return true
}

// session is where the response stands, or "".
func (s *stored) session() string {
	if s.response != nil {
		return s.response.GetSessionId()
	}
	return s.request.GetSessionId()
}

// object is the response as of now.
func (f *face) object(ctx context.Context, s *stored) ([]byte, error) {
	if s.response == nil && !s.final() {
		return wireresponses.EncodeQueued(s.echo, wire.AnswerOptions{
			ID: s.id, Model: modelOf(s.request), Created: s.request.GetCreateTime().AsTime(),
		}), nil
	}
	answer, err := f.answerOf(ctx, s)
	if err != nil {
		return nil, err
	}
	return wireresponses.EncodeStored(answer, s.echo, wire.AnswerOptions{ID: s.id})
}

// modelOf is the model that a request was given to.
func modelOf(r *requestv1.Request) string {
	if model := r.GetDecision().GetModel(); model != "" {
		return model
	}
	return r.GetModel()
}

// answerOf is the answer as it stands: of its log, where it has ended, so that
// it says what a stream of it says.
func (f *face) answerOf(ctx context.Context, s *stored) (*wire.Answer, error) {
	if s.response == nil {
		return &wire.Answer{
			Started: &conversationv1.Started{ResponseId: s.id, Model: modelOf(s.request), CreateTime: s.request.GetCreateTime()},
			Failure: failureOf(s.request.GetFailure()),
		}, nil
	}
	row := &wire.Answer{
		Started: &conversationv1.Started{ResponseId: s.id, Model: s.response.GetModel(), CreateTime: s.response.GetCreateTime()},
	}
	if !s.final() {
		return row, nil
	}
	var assembler wire.Assembler
	err := f.rooms.Response.WatchResponse(ctx, &responsev1.WatchResponseRequest{ResponseId: s.id}, func(step *responsev1.WatchResponseResponse) error {
		return assembler.Add(step.GetChunk().GetEvents()...)
	})
	if err != nil {
		return nil, err
	}
	whole := assembler.Answer()
	if !whole.Finished && whole.Failure == nil {
		whole.Failure = failureOf(s.response.GetFailure())
	}
	return whole, nil
}

// failureOf is why there is no whole answer, also where nobody says.
func failureOf(failure *conversationv1.Failure) *conversationv1.Failure {
	if failure != nil {
		return failure
	}
	return wire.Failure(fault.Internal(errNoEnd))
}

// message is what the model said, under the id of its answer; nil where it said
// nothing.
func (f *face) message(ctx context.Context, s *stored) (*conversationv1.Message, error) {
	answer, err := f.answerOf(ctx, s)
	if err != nil || len(answer.Choices) == 0 {
		return nil, err
	}
	answer.Choices[0].Message.Id = s.id
	return answer.Choices[0].Message, nil
}

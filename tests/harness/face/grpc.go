package face

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// GRPC is RequestService.Submit.
type GRPC struct{}

// Name implements Face.
func (GRPC) Name() string { return "grpc" }

// Submission is an ask as the contract has it.
func Submission(ask Ask) *requestv1.SubmitRequest {
	submit := &requestv1.SubmitRequest{
		SessionId: ask.Session, IdempotencyKey: ask.IdempotencyKey, UserId: ask.User,
		OnDisconnect: responsev1.DisconnectPolicy(responsev1.DisconnectPolicy_value["DISCONNECT_POLICY_"+strings.ToUpper(ask.OnDisconnect)]),
		Turn: &conversationv1.Turn{
			Model: ask.Model, Stream: ask.Stream,
			Messages: []*conversationv1.Message{{
				Role:  conversationv1.Role_ROLE_USER,
				Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: ask.Text}}},
			}},
		},
	}
	if ask.Timeout > 0 {
		submit.Timeout = durationpb.New(ask.Timeout)
	}
	return submit
}

// Ask implements Face.
func (GRPC) Ask(ctx context.Context, mesh *harness.Mesh, ask Ask) (Answer, error) {
	for key, value := range ask.Header {
		ctx = metadata.AppendToOutgoingContext(ctx, strings.ToLower(key), value)
	}
	if ask.RequestID != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-request-id", ask.RequestID)
	}
	answer := Answer{Status: http.StatusOK}
	var sequence int64
	started := false
	err := mesh.Request().Submit(ctx, Submission(ask), func(r *requestv1.SubmitResponse) error {
		if request := r.GetRequest(); request != nil {
			answer.RequestID, answer.ResponseID, answer.SessionID = request.GetId(), request.GetResponseId(), request.GetSessionId()
		}
		chunk := r.GetChunk()
		if chunk == nil {
			return nil
		}
		if sequence++; chunk.GetSequence() != sequence {
			return fmt.Errorf("chunk %d came as number %d", chunk.GetSequence(), sequence)
		}
		for _, event := range chunk.GetEvents() {
			if answer.Complete || answer.Error != nil {
				return fmt.Errorf("an event after the terminal one: %v", event)
			}
			if (event.GetStarted() != nil) == started {
				return fmt.Errorf("started is not the first event, or comes twice: %v", event)
			}
			started = true
			answer.event(event, ask)
		}
		return nil
	})
	if s, ok := status.FromError(err); ok && err != nil && answer.Text == "" && answer.Error == nil {
		answer.Status, answer.Error = httpStatus(s.Code()), &Error{Message: s.Message(), Code: Reason(err)}
		return answer, nil
	}
	return answer, err
}

func (a *Answer) event(event *conversationv1.Event, ask Ask) {
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Text:
		a.Text += kind.Text.GetText()
		if ask.OnText != nil && ask.Stream {
			ask.OnText(kind.Text.GetText())
		}
	case *conversationv1.Event_ChoiceFinished:
		a.FinishReason = kind.ChoiceFinished.GetReason().String()
	case *conversationv1.Event_Finished:
		a.Complete = true
	case *conversationv1.Event_Failed:
		a.Error = &Error{
			Message: kind.Failed.GetMessage(), InStream: true,
			Code: strings.TrimPrefix(kind.Failed.GetReason().String(), "ERROR_REASON_"),
		}
	}
}

// Reason is the mesh's reason of an error of a call; empty without one.
func Reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "gptmesh" {
			return info.GetReason()
		}
	}
	return ""
}

// httpStatus is the HTTP status with which the faces tell of a code.
func httpStatus(code codes.Code) int {
	switch code {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Canceled:
		return 499
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

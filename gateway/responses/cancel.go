package responses

import (
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/edge"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// cancel ends a response that runs. One that has ended stays as it is.
func (f *face) cancel(x *edge.Exchange) {
	ctx := x.Context()
	s, err := f.load(ctx, x.Param(), noResponse)
	if err != nil {
		x.Fail(err)
		return
	}
	if !s.final() {
		if err := f.end(x, s); err != nil {
			x.Fail(err)
			return
		}
		if s, err = f.load(ctx, s.id, noResponse); err != nil {
			x.Fail(err)
			return
		}
	}
	f.show(x, s)
}

// end cancels what runs.
func (f *face) end(x *edge.Exchange, s *stored) error {
	if s.response != nil {
		_, err := f.rooms.Response.CancelResponse(x.Context(), &responsev1.CancelResponseRequest{ResponseId: s.id})
		return err
	}
	_, err := f.rooms.Request.CancelRequest(x.Context(), &requestv1.CancelRequestRequest{RequestId: s.request.GetId()})
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_ILLEGAL_TRANSITION) {
		return nil // It has ended meanwhile.
	}
	return err
}

// delete removes a response, and what was kept for it alone.
func (f *face) delete(x *edge.Exchange) {
	ctx := x.Context()
	s, err := f.load(ctx, x.Param(), noResponse)
	if err != nil {
		x.Fail(err)
		return
	}
	if s.response == nil {
		if s.final() {
			x.Fail(noResponse(s.id)) // There never was an answer to delete.
			return
		}
		if err := f.end(x, s); err != nil {
			x.Fail(err)
			return
		}
	} else if _, err := f.rooms.Response.DeleteResponse(ctx, &responsev1.DeleteResponseRequest{ResponseId: s.id}); err != nil {
		x.Fail(err)
		return
	}
	if err := f.forget(x, s); err != nil {
		x.Fail(err)
		return
	}
	out := jsonscan.AppendString([]byte(`{"id":`), s.id)
	_ = x.JSON(http.StatusOK, append(out, `,"object":"response","deleted":true}`...))
}

// forget deletes the session of a response where it was made for that response
// and no other turn has used it.
func (f *face) forget(x *edge.Exchange, s *stored) error {
	if s.session() == "" || s.request.GetMetadata()[sessionLabel] == "" {
		return nil
	}
	h, err := f.readSession(x.Context(), s.session())
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, claimed := h.session.GetPreferences().GetFields()[claimKey]; claimed || h.upTo(s.id) != len(h.messages) {
		return nil // A turn has gone on from here.
	}
	_, err = f.rooms.Session.DeleteSession(x.Context(), &sessionv1.DeleteSessionRequest{SessionId: s.session()})
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND) {
		return nil
	}
	return err
}

package answer

import (
	"github.com/gptmesh/gptmesh/gateway/edge"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

// ReadTurn reads a client's request of a dialect with a member metadata: the
// body, the session that metadata may name (metadata.gptmesh_session, which is
// taken out), and the headers that ReadHeaders knows. The error is a fault that
// names the member or header.
func ReadTurn(x *edge.Exchange, codec wire.Codec) (*requestv1.SubmitRequest, error) {
	body, err := x.Body()
	if err != nil {
		return nil, err
	}
	return ReadTurnOf(x, codec, body)
}

// ReadTurnOf is ReadTurn for a body that was read before. Where that is borrowed, the
// request lies in it, or in a copy where somebody may keep the request.
func ReadTurnOf(x *edge.Exchange, codec wire.Codec, body []byte) (*requestv1.SubmitRequest, error) {
	came := body
	body, session, err := takeSession(body)
	if err != nil {
		return nil, err
	}
	turn, err := codec.ScanTurn(body)
	if err != nil {
		return nil, err
	}
	request := &requestv1.SubmitRequest{Turn: turn, WireBounds: turn.AcceptWire}
	if err := ReadHeaders(x.Request().Header, request); err != nil {
		return nil, err
	}
	if session != "" {
		if request.SessionId != "" && request.SessionId != session {
			return nil, fault.InvalidField(sessionField, "the header x-gptmesh-session names another session")
		}
		request.SessionId = session
	}
	if !passes(request) {
		own := x.Keep(came)
		if raw := turn.Raw; raw != nil && len(raw.Body) > 0 && len(raw.Body) == len(came) && &raw.Body[0] == &came[0] {
			raw.Body = own
		}
	}
	return request, nil
}

// passes says that no room keeps anything of a request once Submit has returned. An
// answer that may go on without its client is not like that, nor what is looked for
// again; and a stream would hold the memory for long. A session keeps its messages
// marshalled, which is a copy.
func passes(r *requestv1.SubmitRequest) bool {
	return !r.GetTurn().GetStream() && r.IdempotencyKey == "" && r.Cache == nil && r.PostProcessing == nil &&
		(r.OnDisconnect == responsev1.DisconnectPolicy_DISCONNECT_POLICY_UNSPECIFIED || r.OnDisconnect == responsev1.DisconnectPolicy_DISCONNECT_POLICY_CANCEL)
}

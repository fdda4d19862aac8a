package request

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// fate is what is known of the work of a request that ended before anything of
// an answer was passed on.
type fate int

const (
	// unbegun: no provider began it, or the one that was asked declined.
	unbegun fate = iota
	// served: the failure is the outcome, and would be of no use to ask for again.
	served
	// unknown: a provider may have done it.
	unknown
)

// fateOf reads a failure. What is not known to be harmless is unknown.
func fateOf(f *conversationv1.Failure) fate {
	switch f.GetMetadata()["outcome"] {
	case fault.OutcomeNotBegun:
		return unbegun
	case fault.OutcomePartial:
		return served
	case fault.OutcomeUnknown:
		return unknown
	}
	switch f.GetReason() {
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
		meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY,
		meshv1.ErrorReason_ERROR_REASON_PROVIDER_NOT_CONFIGURED, meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL,
		meshv1.ErrorReason_ERROR_REASON_OVERLOADED, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN,
		meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED:
		return unbegun
	case meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE:
		if unkept(f) {
			return unknown
		}
		return unbegun
	case meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE:
		return served
	}
	if clientsFault(codes.Code(f.GetCode())) {
		return served
	}
	return unknown
}

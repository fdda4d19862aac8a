package wire

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Failure makes the terminal event's content of an error. It holds only what
// clients may see.
func Failure(err error) *conversationv1.Failure {
	f := fault.From(err)
	out := &conversationv1.Failure{Code: int32(f.Code), Reason: f.Reason, Message: f.Message, Metadata: f.Metadata}
	if field := f.Field(); field != "" && out.Metadata["field"] == "" {
		out.Metadata = make(map[string]string, len(f.Metadata)+1)
		for k, v := range f.Metadata {
			out.Metadata[k] = v
		}
		out.Metadata["field"] = field
	}
	if f.RetryAfter > 0 {
		out.RetryAfter = durationpb.New(f.RetryAfter)
	}
	return out
}

// Fault makes the error of a terminal event's content.
func Fault(failure *conversationv1.Failure) *fault.Fault {
	return &fault.Fault{
		Code: codes.Code(failure.GetCode()), Reason: failure.GetReason(), Message: failure.GetMessage(),
		Metadata: failure.GetMetadata(), RetryAfter: failure.GetRetryAfter().AsDuration(),
	}
}

// MayHaveBegun says that what was asked for may have been done, in part or as a
// whole, although the failure's code is UNAVAILABLE. HTTP's 503 would say that it was
// not, and proxies send a 503 to the next server by themselves: it is a 502.
func MayHaveBegun(f *fault.Fault) bool {
	if f.Code != codes.Unavailable {
		return false
	}
	switch f.Metadata["outcome"] {
	case fault.OutcomeUnknown, fault.OutcomePartial:
		return true
	case fault.OutcomeNotBegun:
		return false
	}
	switch f.Reason {
	case meshv1.ErrorReason_ERROR_REASON_INTERRUPTED, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER,
		meshv1.ErrorReason_ERROR_REASON_INVALID_JSON_ANSWER:
		return true
	}
	return f.Metadata["call"] == fault.CallBegun
}

// ProviderOverloaded says whether f tells of a provider that is overloaded for
// a while and has begun nothing, and not of one that is broken: dialects have a status of
// their own for it.
func ProviderOverloaded(f *fault.Fault) bool {
	if f.Reason != meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR || MayHaveBegun(f) {
		return false
	}
	status := f.Metadata["status"]
	return status == "503" || status == "529"
}

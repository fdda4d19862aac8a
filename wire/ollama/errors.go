package ollama

import (
	"net/http"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/httpstatus"
)

// Error is the answer to a request that failed before its first byte: the
// status and a body of {"error":"text"}. The text of an unknown model is the
// one that clients look for, "model 'x' not found".
func Error(err error) (status int, body []byte) {
	f := fault.From(err)
	if f == nil {
		f = fault.Internal(nil)
	}
	return statusOf(f), appendError(nil, failureText(wire.Failure(f)))
}

func appendError(dst []byte, text string) []byte {
	return append(jsonscan.AppendString(append(dst, `{"error":`...), text), '}')
}

// failureText is what a client reads.
func failureText(failure *conversationv1.Failure) string {
	model, known := failure.GetMetadata()["model"]
	switch {
	case failure.GetReason() == meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND && known:
		return "model '" + model + "' not found"
	case failure.GetMessage() == "":
		return fault.ReasonName(failure.GetReason())
	}
	return failure.GetMessage()
}

// statusOf is the HTTP status of a fault.
func statusOf(f *fault.Fault) int {
	if wire.ProviderOverloaded(f) {
		return http.StatusServiceUnavailable
	}
	return httpstatus.Of(f)
}

package responses

import (
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// protocol is the fault for a provider's answer of the wrong form. The cause is
// for the log.
func protocol(description string, cause error) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		"the provider's answer is not what its dialect allows: "+description).WithCause(cause)
}

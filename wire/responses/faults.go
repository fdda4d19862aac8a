package responses

import (
	"errors"

	"google.golang.org/grpc/codes"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// malformed is the fault for a member of a client's body of the wrong form.
func malformed(field, description string) *fault.Fault {
	return blame(meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, field, description)
}

// unsupported is the fault for a member that asks for what is not there.
func unsupported(field, description string) *fault.Fault {
	return blame(meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, field, description)
}

func blame(reason meshv1.ErrorReason, field, description string) *fault.Fault {
	message := description
	if field != "" {
		message = field + ": " + description
	}
	f := fault.New(codes.InvalidArgument, reason, message, "field", field)
	f.Fields = []fault.FieldViolation{{Field: field, Description: description}}
	return f
}

// scanFault is the fault for what jsonscan found wrong with a client's body.
func scanFault(err error) error {
	var bad *jsonscan.Error
	if !errors.As(err, &bad) {
		return fault.Internal(err)
	}
	switch {
	case errors.Is(err, jsonscan.ErrDuplicate):
		return blame(meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD, bad.Key, "stands more than once")
	case errors.Is(err, jsonscan.ErrEscapedKey):
		return malformed(bad.Key, "the member's name is written with escapes")
	case errors.Is(err, jsonscan.ErrNotObject):
		return malformed("", "the body is not a JSON object")
	}
	return malformed(bad.Key, "the body is not valid JSON: "+bad.Error())
}

// protocol is the fault for a provider's answer of the wrong form. The cause is
// for the log.
func protocol(description string, cause error) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		"the provider's answer is not what its dialect allows: "+description).WithCause(cause)
}

package jsonbody

import (
	"errors"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/grpc/codes"
)

// Malformed is the fault for a member of a client's body of the wrong form.
func Malformed(field, description string) *fault.Fault {
	return blame(meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, field, description)
}

// Unsupported is the fault for a member that asks for what is not there.
func Unsupported(field, description string) *fault.Fault {
	return blame(meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, field, description)
}

// Duplicate is the fault for a member that stands more than once.
func Duplicate(field string) *fault.Fault {
	return blame(meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD, field, "stands more than once")
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

// ScanFault is the fault for what jsonscan found wrong with a client's body; nil
// for nil.
func ScanFault(err error) error {
	if err == nil {
		return nil
	}
	var bad *jsonscan.Error
	if !errors.As(err, &bad) {
		return fault.Internal(err)
	}
	switch {
	case errors.Is(err, jsonscan.ErrDuplicate):
		return Duplicate(bad.Key)
	case errors.Is(err, jsonscan.ErrEscapedKey):
		return Malformed(bad.Key, "the member's name is written with escapes")
	case errors.Is(err, jsonscan.ErrNotObject):
		return Malformed("", "the body is not a JSON object")
	case bad.Offset == 0 && strings.HasPrefix(bad.Detail, "unexpected end"):
		return Malformed("", "the body is empty; want a JSON object")
	}
	return Malformed(bad.Key, "the body is not valid JSON: "+strings.TrimPrefix(bad.Error(), jsonscan.ErrSyntax.Error()+": "))
}

// Protocol is the fault for what a provider must not send.
func Protocol(what string, cause error) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL, "the provider sent "+what).WithCause(cause)
}

// Truncated is the fault for a stream that ended before its answer did.
func Truncated() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
		"the provider closed its stream before the end of the answer")
}

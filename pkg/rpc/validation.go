package rpc

import (
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Validate holds one message to its rules. The fault names every broken field.
func Validate(validator protovalidate.Validator, request proto.Message) error {
	err := validator.Validate(request)
	if err == nil {
		return nil
	}
	var violations *protovalidate.ValidationError
	if !errors.As(err, &violations) {
		return fault.Internal(fmt.Errorf("validation: %w", err))
	}
	f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD, "")
	for _, v := range violations.Violations {
		field := protovalidate.FieldPathString(v.Proto.GetField())
		f.Fields = append(f.Fields, fault.FieldViolation{Field: field, Description: v.Proto.GetMessage()})
		if f.Message == "" {
			f.Message = field + ": " + v.Proto.GetMessage()
			f.Metadata = map[string]string{"field": field}
		}
	}
	return f
}

// Package fault is how the mesh says what went wrong: a canonical gRPC code, a
// reason of the ErrorReason enum, a text for people, and metadata. A *Fault is
// an error and a gRPC status at once.
//
// What a Fault's Message and Metadata say reaches clients; Cause never does.
package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is the ErrorInfo domain of every fault of the mesh.
const Domain = "gptmesh"

const reasonPrefix = "ERROR_REASON_"

// Fault is one error of the mesh. Use New or InvalidField, then set the
// optional fields before handing it out; a Fault is read-only afterwards.
type Fault struct {
	// Code is the canonical code. Never OK.
	Code codes.Code
	// Reason is what clients switch on.
	Reason meshv1.ErrorReason
	// Message is for people and reaches clients.
	Message string
	// Metadata are the keys that the reason documents.
	Metadata map[string]string
	// RetryAfter is how long to wait before trying again; 0 where not known.
	RetryAfter time.Duration
	// Fields lists every broken field of a request, where fields are to blame.
	Fields []FieldViolation
	// Cause is for the log only.
	Cause error
}

// FieldViolation says what is wrong with one field.
type FieldViolation struct {
	// Field is the path, "turn.sampling.temperature".
	Field string
	// Description is for people.
	Description string
}

// New makes a fault. Metadata are pairs of key and value.
func New(code codes.Code, reason meshv1.ErrorReason, message string, metadata ...string) *Fault {
	f := &Fault{Code: code, Reason: reason, Message: message}
	if len(metadata) > 1 {
		f.Metadata = make(map[string]string, len(metadata)/2)
		for i := 0; i+1 < len(metadata); i += 2 {
			f.Metadata[metadata[i]] = metadata[i+1]
		}
	}
	return f
}

// InvalidField makes the fault for one field that breaks its rule.
func InvalidField(field, description string) *Fault {
	f := New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD, field+": "+description, "field", field)
	f.Fields = []FieldViolation{{Field: field, Description: description}}
	return f
}

// CheckTexts refuses texts that not every store can keep or look for. It takes
// names of fields, each with its value behind it.
func CheckTexts(fields ...string) error {
	for i := 1; i < len(fields); i += 2 {
		if strings.IndexByte(fields[i], 0) >= 0 || !utf8.ValidString(fields[i]) {
			return InvalidField(fields[i-1], "must be UTF-8 without U+0000")
		}
	}
	return nil
}

// Internal makes the fault for an error that clients must not see.
func Internal(cause error) *Fault {
	f := New(codes.Internal, meshv1.ErrorReason_ERROR_REASON_INTERNAL, "internal error")
	f.Cause = cause
	return f
}

// StoreUnavailable makes the fault for a store of room that cannot serve.
func StoreUnavailable(room string, cause error) *Fault {
	f := New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE,
		"the store of the "+room+" room cannot serve now", "room", room)
	f.Cause = cause
	return f
}

// WithCause returns f with the cause set, for chaining on a fresh fault.
func (f *Fault) WithCause(cause error) *Fault { f.Cause = cause; return f }

// WithRetryAfter returns f with the wait set, for chaining on a fresh fault.
func (f *Fault) WithRetryAfter(d time.Duration) *Fault { f.RetryAfter = d; return f }

// Error is the text for the log, cause included.
func (f *Fault) Error() string {
	if f.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", ReasonName(f.Reason), f.Message, f.Cause)
	}
	return ReasonName(f.Reason) + ": " + f.Message
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// GRPCStatus is what goes over the wire: the cause is left out.
func (f *Fault) GRPCStatus() *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: ReasonName(f.Reason), Domain: Domain, Metadata: f.Metadata}}
	if len(f.Fields) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range f.Fields {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Description})
		}
		details = append(details, bad)
	}
	if f.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.RetryAfter)})
	}
	s := status.New(f.Code, f.Message)
	if detailed, err := s.WithDetails(details...); err == nil {
		return detailed
	}
	return s
}

// ReasonName is a reason as it stands in ErrorInfo: without the enum's prefix.
func ReasonName(r meshv1.ErrorReason) string { return strings.TrimPrefix(r.String(), reasonPrefix) }

// From reads any error as a fault. A *Fault in the chain is returned as it is;
// a status of the mesh is read back; a context error becomes CANCELLED or
// DEADLINE_EXCEEDED; a bare status keeps its code, and its text unless the code
// is Unknown or Internal. Everything else is Internal with err as its cause.
// From(nil) is nil.
func From(err error) *Fault {
	if err == nil {
		return nil
	}
	if f := (*Fault)(nil); errors.As(err, &f) {
		return f
	}
	if s, ok := status.FromError(err); ok {
		return fromStatus(s, err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "the request was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED, "the deadline ran out")
	}
	return Internal(err)
}

func fromStatus(s *status.Status, err error) *Fault {
	f := &Fault{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == Domain {
				f.Reason = meshv1.ErrorReason(meshv1.ErrorReason_value[reasonPrefix+d.GetReason()])
				f.Metadata = d.GetMetadata()
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				f.Fields = append(f.Fields, FieldViolation{Field: v.GetField(), Description: v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			f.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	if f.Reason != meshv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return f
	}
	switch s.Code() {
	case codes.Unknown, codes.Internal, codes.DataLoss:
		return Internal(err)
	case codes.Canceled:
		f.Reason = meshv1.ErrorReason_ERROR_REASON_CANCELLED
		f.Message = "the request was cancelled"
	case codes.DeadlineExceeded:
		f.Reason = meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED
		f.Message = "the deadline ran out"
	case codes.Unavailable:
		// The transport's own words hold addresses: they are for the log.
		f.Reason = meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE
		f.Message = "a part of the mesh cannot be reached"
		f.Cause = err
	case codes.InvalidArgument, codes.OutOfRange:
		f.Reason = meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD
	case codes.Unauthenticated:
		f.Reason = meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED
	case codes.PermissionDenied:
		f.Reason = meshv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED
	case codes.ResourceExhausted:
		f.Reason = meshv1.ErrorReason_ERROR_REASON_TOO_LARGE
	case codes.Unimplemented:
		f.Reason = meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED
	}
	return f
}

// CallBegun is the metadata "call" of a failure after which what was asked for
// may have been begun: ROOM_UNAVAILABLE of a room that was reached,
// STORE_UNAVAILABLE after the provider was called.
const CallBegun = "begun"

// AfterCall marks a failure as one that came when what was asked for had begun.
// f is left as it is.
func AfterCall(f *Fault) *Fault { return with(f, "call", CallBegun) }

// What the metadata "outcome" of a failure says about the work that was asked for.
const (
	// OutcomeUnknown: a provider was sent the request and has not said what
	// became of it.
	OutcomeUnknown = "unknown"
	// OutcomePartial: a provider gave a part of the answer, and nothing of it was
	// passed on.
	OutcomePartial = "partial"
	// OutcomeNotBegun: no provider can have begun it.
	OutcomeNotBegun = "not_begun"
)

// WithOutcome marks a failure with what is known of the work that was asked for.
// f is left as it is.
func WithOutcome(f *Fault, outcome string) *Fault { return with(f, "outcome", outcome) }

func with(f *Fault, key, value string) *Fault {
	out := *f
	out.Metadata = maps.Clone(f.Metadata)
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	out.Metadata[key] = value
	return &out
}

// BrokeOff says that the connection to a room broke after it was asked: what
// became of the call is not known here.
func BrokeOff(err error) bool {
	return Is(err, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE) && From(err).Metadata["call"] == CallBegun
}

// Is says whether err is a fault with this reason.
func Is(err error, reason meshv1.ErrorReason) bool {
	return err != nil && From(err).Reason == reason
}

// Field is the field that the fault blames, or "".
func (f *Fault) Field() string {
	if len(f.Fields) > 0 {
		return f.Fields[0].Field
	}
	return f.Metadata["field"]
}

package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAFaultSurvivesTheWire(t *testing.T) {
	t.Parallel()
	sent := New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "slow down", "limit", "10").
		WithRetryAfter(3 * time.Second).WithCause(errors.New("a secret"))
	sent.Fields = []FieldViolation{{Field: "turn.model", Description: "is blank"}}
	wire := sent.GRPCStatus().Err()
	got := From(wire)
	if got.Code != sent.Code || got.Reason != sent.Reason || got.Message != sent.Message || got.Metadata["limit"] != "10" ||
		got.RetryAfter != sent.RetryAfter || got.Field() != "turn.model" {
		t.Errorf("arrived as %+v", got)
	}
	if strings.Contains(fmt.Sprint(status.Convert(wire).Proto()), "secret") {
		t.Error("the cause went over the wire")
	}
}

func TestFromHidesWhatClientsMustNotSee(t *testing.T) {
	t.Parallel()
	const secret = "pq: relation \"keys\" does not exist"
	for name, c := range map[string]struct {
		err    error
		code   codes.Code
		reason meshv1.ErrorReason
	}{
		"plain":    {errors.New(secret), codes.Internal, meshv1.ErrorReason_ERROR_REASON_INTERNAL},
		"unknown":  {status.Error(codes.Unknown, secret), codes.Internal, meshv1.ErrorReason_ERROR_REASON_INTERNAL},
		"internal": {status.Error(codes.Internal, secret), codes.Internal, meshv1.ErrorReason_ERROR_REASON_INTERNAL},
		"transport": {status.Error(codes.Unavailable, "dial tcp 10.0.0.7:1: "+secret), codes.Unavailable,
			meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE},
		"cancelled": {fmt.Errorf("%s: %w", secret, context.Canceled), codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED},
		"deadline":  {context.DeadlineExceeded, codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED},
	} {
		f := From(c.err)
		if f.Code != c.code || f.Reason != c.reason {
			t.Errorf("%s: %v %v, want %v %v", name, f.Code, f.Reason, c.code, c.reason)
		}
		if strings.Contains(f.GRPCStatus().Message(), "relation") {
			t.Errorf("%s: the client sees %q", name, f.GRPCStatus().Message())
		}
	}
	if From(nil) != nil {
		t.Error("From(nil) is not nil")
	}
}

func TestAWrappedFaultIsFound(t *testing.T) {
	t.Parallel()
	inner := InvalidField("turn.model", "is blank")
	if !Is(fmt.Errorf("while asking: %w", inner), meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD) {
		t.Error("a wrapped fault is not found")
	}
}

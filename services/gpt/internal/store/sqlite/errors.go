package sqlite

import meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"

const (
	cancelled = meshv1.ErrorReason_ERROR_REASON_CANCELLED
	deadline  = meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED
)

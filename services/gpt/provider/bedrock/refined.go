package bedrock

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// refined sets the reason of errors that only their words tell apart, and of
// streams whose messages are corrupt.
func (p *Provider) refined(err error) error {
	if errors.Is(err, eventstream.ErrCorrupt) {
		return provider.Protocol(p.runtime.Name(), err)
	}
	failure := (*provider.Error)(nil)
	if !errors.As(err, &failure) || !failure.Refused {
		return err
	}
	f, name := failure.Fault, p.runtime.Name()
	words := strings.ToLower(f.Message)
	var better *fault.Fault
	switch {
	case failure.Status == http.StatusFailedDependency: // ModelErrorException
		better = fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
			"the provider "+name+" failed with status 424", "provider", name, "status", strconv.Itoa(failure.Status))
	case failure.Status != http.StatusBadRequest:
	case strings.Contains(words, "model identifier is invalid"):
		better = fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, f.Message, "provider", name)
	case strings.Contains(words, "too long for requested model") || strings.Contains(words, "too many input tokens"):
		better = fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, f.Message, "provider", name, "limit", "0")
	}
	if better != nil {
		better.RetryAfter = f.RetryAfter
		failure.Fault = better.WithCause(f.Cause)
	}
	return err
}

package gpt

import (
	"context"
	"errors"
	"strconv"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// The causes of attempts that the room gives up.
var (
	errFirstToken = errors.New("no first token in time")
	errAnswer     = errors.New("no answer in time")
	errIdle       = errors.New("the provider fell silent")
)

// ended makes the error of a call whose context is done say why it is. Other
// errors stay as they are.
func (s *Service) ended(ctx context.Context, err error, provider string) error {
	if ctx.Err() == nil {
		return err
	}
	cause := context.Cause(ctx)
	slow := func(reason meshv1.ErrorReason, message string, limit time.Duration) error {
		f := fault.New(codes.DeadlineExceeded, reason, message, "room", "gpt")
		if provider != "" {
			f.Metadata["provider"] = provider
		}
		if limit > 0 {
			f.Metadata["limit_ms"] = strconv.FormatInt(limit.Milliseconds(), 10)
		}
		return f
	}
	switch {
	case errors.Is(cause, errFirstToken):
		return slow(meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT,
			"the provider "+provider+" sent nothing in time", s.cfg.Timeouts.FirstToken)
	case errors.Is(cause, errAnswer):
		return slow(meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT,
			"the provider "+provider+" did not answer in time", s.cfg.Timeouts.Answer)
	case errors.Is(cause, errIdle):
		return slow(meshv1.ErrorReason_ERROR_REASON_IDLE_TIMEOUT,
			"the provider "+provider+" fell silent in the middle of the answer", s.cfg.Timeouts.Idle)
	case errors.Is(cause, errTotal):
		return slow(meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
			"the call took longer than the gpt room allows", s.cfg.Timeouts.Total)
	case errors.Is(cause, errCaller) && provider != "":
		return slow(meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
			"the caller's deadline ran out while the provider "+provider+" was at work", 0)
	case errors.Is(cause, errCaller):
		return slow(meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED, "the caller's deadline ran out in the gpt room", 0)
	case errors.Is(cause, errStopping):
		return shuttingDown()
	case errors.Is(cause, context.DeadlineExceeded):
		return slow(meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED, "the caller's deadline ran out in the gpt room", 0)
	case errors.Is(cause, context.Canceled):
		return fault.From(context.Canceled)
	}
	return fault.From(cause)
}

// endedInQueue is ended for a call that the provider has not been asked: it was
// not the provider that took the time.
func (s *Service) endedInQueue(ctx context.Context, err error, provider string) error {
	err = s.ended(ctx, err, "")
	if f := fault.From(err); f.Code == codes.DeadlineExceeded {
		f.Message = "the call's time ran out while it waited for its turn at the provider " + provider
		f.Metadata["provider"], f.Metadata["queued"] = provider, "true"
		return f
	}
	return err
}

// health says what an error tells about the provider.
func health(err error) breaker.Outcome {
	if err == nil {
		return breaker.Success
	}
	switch fault.From(err).Reason {
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
		meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
		meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT, meshv1.ErrorReason_ERROR_REASON_IDLE_TIMEOUT:
		return breaker.Failure
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND,
		meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, meshv1.ErrorReason_ERROR_REASON_CONTENT_FILTERED:
		return breaker.Success
	}
	return breaker.Neutral
}

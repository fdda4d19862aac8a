package gemini

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// Google says with the same status, 400, what others say with different ones.
var (
	tooLong = regexp.MustCompile(`input token count.*exceeds the maximum number of tokens allowed \(?(\d+)?`)
	retryIn = regexp.MustCompile(`retry in ([0-9]+(?:\.[0-9]+)?)s`)
)

// refined sets the reason of errors that only their words tell apart: a key
// that is not valid, a prompt that is too long, how long to wait.
func refined(err error) error {
	failure := (*provider.Error)(nil)
	if !errors.As(err, &failure) || !failure.Refused {
		return err
	}
	f := failure.Fault
	name := f.Metadata["provider"]
	switch {
	case failure.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(f.Message), "api key"):
		failure.Fault = fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY,
			"the provider "+name+" did not accept the configured key", "provider", name).WithCause(f.Cause)
		failure.Fault.RetryAfter = f.RetryAfter
	case failure.Status == http.StatusBadRequest && tooLong.MatchString(f.Message):
		limit := tooLong.FindStringSubmatch(f.Message)[1]
		if limit == "" {
			limit = "0"
		}
		failure.Fault = fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
			f.Message, "provider", name, "limit", limit).WithCause(f.Cause)
		failure.Fault.RetryAfter = f.RetryAfter
	case failure.Status == http.StatusTooManyRequests && f.RetryAfter == 0 && f.Cause != nil:
		if m := retryIn.FindStringSubmatch(f.Cause.Error()); m != nil {
			if seconds, err := strconv.ParseFloat(m[1], 64); err == nil {
				f.RetryAfter = time.Duration(min(seconds, 86400) * float64(time.Second))
			}
		}
	}
	return err
}

package transport

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// refused makes the error of an answer that is no success.
func (c *Client) refused(resp *upstream.Response, body []byte) error {
	detail := ParseDetail(body)
	f := c.fault(resp.Status, detail)
	f.RetryAfter = RetryAfter(resp.Header, time.Now())
	f.Cause = fmt.Errorf("status %d: %s", resp.Status, Clean(strings.Join([]string{detail.Type, detail.Code, detail.Message}, " "), c.cfg.Secrets...))
	return &provider.Error{Fault: f, Status: resp.Status, Refused: true}
}

// fault maps status and detail. Only a message about the client's own request
// is passed on; about keys and the provider's own trouble nothing is.
func (c *Client) fault(status int, d Detail) *fault.Fault {
	name := c.cfg.Name
	message := Clean(d.Message, c.cfg.Secrets...)
	switch {
	case status == http.StatusUnauthorized:
		return c.refusedKey("the provider " + name + " did not accept the configured key")
	case status == http.StatusPaymentRequired:
		return c.refusedKey("the account at the provider " + name + " has no credit left")
	case status == http.StatusTooManyRequests:
		f := fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED,
			"the provider "+name+" limits the rate of calls", "provider", name)
		if isQuota(d) {
			f.Message = "the quota at the provider " + name + " is used up"
			f.Metadata["quota"] = "exhausted"
		}
		return f
	case status >= 500 || status == http.StatusRequestTimeout:
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
			"the provider "+name+" failed with status "+strconv.Itoa(status), "provider", name, "status", strconv.Itoa(status))
	case status < 400:
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
			"the provider "+name+" answered with status "+strconv.Itoa(status)+"; its base address may be wrong",
			"provider", name, "status", strconv.Itoa(status))
	case isContextLength(d):
		f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
			or(message, "the turn does not fit the model"), "provider", name, "limit", contextLimit(d.Message))
		return f
	case isContentFilter(d):
		return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_CONTENT_FILTERED,
			or(message, "the provider "+name+" refused on policy grounds"), "provider", name)
	case status == http.StatusForbidden:
		return c.refusedKey("the provider " + name + " does not allow this to the configured key")
	case isModelMissing(status, d):
		return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND,
			or(message, "the provider "+name+" has no such model"), "provider", name)
	case status == http.StatusNotFound && message == "":
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
			"the provider "+name+" knows no such address; its base address may be wrong", "provider", name, "status", "404")
	}
	f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED,
		or(message, "the provider "+name+" rejected the request with status "+strconv.Itoa(status)),
		"provider", name, "status", strconv.Itoa(status))
	if d.Param != "" {
		field := Clean(d.Param, c.cfg.Secrets...)
		f.Metadata["field"] = field
		f.Fields = []fault.FieldViolation{{Field: field, Description: f.Message}}
	}
	return f
}

func (c *Client) refusedKey(message string) *fault.Fault {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, message, "provider", c.cfg.Name)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func isQuota(d Detail) bool {
	return d.Code == "insufficient_quota" || d.Type == "insufficient_quota" || strings.Contains(d.Code, "billing")
}

// isContextLength knows the words of OpenAI and Groq (code), Anthropic ("prompt
// is too long: 210000 tokens > 200000 maximum"), llama.cpp
// (exceed_context_size_error), Mistral, vLLM and Ollama (message).
func isContextLength(d Detail) bool {
	if d.Code == "context_length_exceeded" || d.Type == "exceed_context_size_error" || d.Code == "string_above_max_length" {
		return true
	}
	m := strings.ToLower(d.Message)
	for _, words := range []string{"maximum context length", "prompt is too long", "context size", "context window",
		"context length", "too large for model with", "input length and `max_tokens` exceed"} {
		if strings.Contains(m, words) {
			return true
		}
	}
	return false
}

var limitPattern = regexp.MustCompile(`(?:maximum context length (?:is|of)|context window (?:is|of)|context size \(|> )\s*\(?(\d{3,9})`)

// contextLimit finds the limit in the provider's message; "0" where it does
// not say.
func contextLimit(message string) string {
	if m := limitPattern.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return "0"
}

func isContentFilter(d Detail) bool {
	for _, word := range []string{d.Code, d.Type} {
		switch word {
		case "content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "moderation_error", "invalid_prompt":
			return true
		}
	}
	return strings.Contains(d.Message, "flagged") && strings.Contains(strings.ToLower(d.Message), "moderation")
}

func isModelMissing(status int, d Detail) bool {
	if d.Code == "model_not_found" || d.Code == "DeploymentNotFound" || d.Code == "unknown_model" {
		return true
	}
	return status == http.StatusNotFound && strings.Contains(strings.ToLower(d.Message), "model")
}

// RetryAfter reads how long to wait from retry-after-ms, or Retry-After in
// seconds or as a date. 0 where the header does not say; at most a day.
func RetryAfter(header upstream.Header, now time.Time) time.Duration {
	wait := time.Duration(0)
	text := strings.TrimSpace(header.Get("Retry-After"))
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil {
		wait = seconds(ms / 1000)
	} else if s, err := strconv.ParseFloat(text, 64); err == nil {
		wait = seconds(s)
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), 24*time.Hour)
}

func seconds(s float64) time.Duration {
	if !(s > 0) { // also NaN
		return 0
	}
	return time.Duration(min(s, 86400) * float64(time.Second))
}

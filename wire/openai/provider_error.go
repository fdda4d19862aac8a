package openai

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/grpc/codes"
)

// ProviderError reads the body of a provider's answer that is not 200. The
// fault says what kind of error it is; the provider's own words stand in its
// Cause alone, for the log. Metadata hold status, code and type where known,
// and field where the provider blames one. Body may be anything, also empty.
func ProviderError(status int, body []byte) *fault.Fault { return providerError(body, status) }

// complaint is what a provider says went wrong.
type complaint struct {
	message, kind, code, param string
	status                     int
}

var complaintKeys = jsonscan.NewKeys("error", "message", "type", "code", "param", "detail", "status")

func providerError(body []byte, status int) *fault.Fault {
	c := complaint{status: status}
	c.read(body)
	f := c.fault()
	metadata := func(key, value string) {
		if value != "" {
			f.Metadata[key] = value
		}
	}
	if f.Metadata == nil {
		f.Metadata = make(map[string]string)
	}
	if c.status != 0 {
		metadata("status", strconv.Itoa(c.status))
	}
	metadata("code", token(c.code))
	metadata("type", token(c.kind))
	metadata("field", token(c.param))
	if c.message != "" {
		f.Cause = errors.New("the provider says: " + c.message)
	}
	return f
}

// read takes {"error":{…}}, {"error":"…"}, the members of an error at the top,
// and any of them as the only element of an array.
func (c *complaint) read(body []byte) {
	body = bytes.TrimSpace(body)
	if len(body) > 1 && body[0] == '[' {
		body = bytes.TrimSpace(body[1 : len(body)-1])
	}
	found, err := jsonscan.Scan(body, complaintKeys, nil)
	if err != nil {
		c.message = clip(string(body))
		return
	}
	switch found[0].Kind {
	case jsonscan.Object:
		inner, err := jsonscan.ScanObject(body, found[0].Value, complaintKeys, nil)
		if err != nil {
			return
		}
		c.members(body, inner)
	case jsonscan.String:
		c.members(body, found)
		c.message = clip(text(body, found[0]))
	default:
		c.members(body, found)
	}
}

func (c *complaint) members(body []byte, found []jsonscan.Member) {
	c.message = clip(text(body, found[1]))
	if c.message == "" {
		c.message = clip(text(body, found[5]))
	}
	c.kind, c.code, c.param = text(body, found[2]), text(body, found[3]), text(body, found[4])
	if n, err := strconv.Atoi(c.code); err == nil && n >= 400 && n < 600 {
		c.code = ""
		if c.status == 0 || c.status == http.StatusOK {
			c.status = n
		}
	}
	if c.code == "" {
		c.code = strings.ToLower(text(body, found[6])) // Google's "RESOURCE_EXHAUSTED"
	}
}

// text is a string or the digits of a number, else "".
func text(body []byte, m jsonscan.Member) string {
	if m.Kind == jsonscan.Number {
		return string(m.Raw(body))
	}
	if m.Kind != jsonscan.String {
		return ""
	}
	s, err := m.Text(body)
	if err != nil {
		return ""
	}
	return s
}

func clip(s string) string {
	const most = 2048
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// token keeps what is a name and no prose.
func token(s string) string {
	const most = 128
	if len(s) > most {
		return ""
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_-.[]", c) >= 0:
		default:
			return ""
		}
	}
	return s
}

// tooLong are the words of servers that have no code for it: OpenAI's older
// ones and vLLM, llama.cpp, Mistral, Anthropic's and others' compatible doors.
var tooLong = []string{
	"maximum context length", "context size", "context window", "context length", "prompt is too long", "too many tokens", "max_prompt_tokens",
}

func (c *complaint) fault() *fault.Fault {
	message := strings.ToLower(c.message)
	is := func(words ...string) bool {
		for _, word := range words {
			if c.code == word || c.kind == word {
				return true
			}
		}
		return false
	}
	says := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(message, part) {
				return true
			}
		}
		return false
	}
	rejected := c.status >= 400 && c.status < 500
	switch {
	case is("context_length_exceeded", "exceed_context_size_error", "string_above_max_length"),
		(rejected || c.status == 0) && says(tooLong...):
		return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, "the turn does not fit the model's context")
	case is("model_not_found"), c.status == http.StatusNotFound && says("model"):
		return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "the provider does not have this model")
	case is("insufficient_quota", "billing_hard_limit_reached"), c.status == http.StatusPaymentRequired:
		c.code = "insufficient_quota"
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "the account at the provider has no quota left")
	case is("rate_limit_exceeded", "rate_limit_error", "resource_exhausted"), c.status == http.StatusTooManyRequests:
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "the provider limits the rate of calls")
	case is("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"):
		return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_CONTENT_FILTERED, "the provider declined on policy grounds")
	case is("invalid_api_key", "authentication_error"), c.status == http.StatusUnauthorized, c.status == http.StatusForbidden:
		return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, "the provider did not accept the configured key")
	case c.status == http.StatusRequestTimeout:
	case rejected, c.status == 0 && is("invalid_request_error", "BadRequestError"):
		text := "the provider refused the request"
		if param := token(c.param); param != "" {
			text += " because of " + param
		}
		return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED, text)
	}
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider failed")
}

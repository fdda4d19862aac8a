package openai_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/grpc/codes"
)

func TestError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
		body   string
	}{
		{fault.InvalidField("temperature", "is 3; want 0 to 2"), 400, `{"error":{"message":"temperature: is 3; want 0 to 2","type":"invalid_request_error","param":"temperature","code":"invalid_value"}}`},
		{fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "no \"x\"", "model", "x"), 404, `{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"model","code":"model_not_found"}}`},
		{fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, "m"), 400, `{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`},
		{fault.New(codes.Unauthenticated, meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "m"), 401, `{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`},
		{fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "m"), 429, `{"error":{"message":"m","type":"requests","param":null,"code":"rate_limit_exceeded"}}`},
		{fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "m", "code", "insufficient_quota"), 429, `{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE, "m"), 413, `{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"request_too_large"}}`},
		{fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE, "m"), 500, `{"error":{"message":"m","type":"server_error","param":null,"code":"answer_too_large"}}`},
		{fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, "m"), 424, `{"error":{"message":"m","type":"server_error","param":null,"code":"provider_refused_key"}}`},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE, "m"), 503, `{"error":{"message":"m","type":"server_error","param":null,"code":"provider_unreachable"}}`},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE, "m", "outcome", "unknown"), 502, `{"error":{"message":"m","type":"server_error","param":null,"code":"provider_unreachable"}}`},
		{fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_IDLE_TIMEOUT, "m"), 504, `{"error":{"message":"m","type":"server_error","param":null,"code":"idle_timeout"}}`},
		{fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_SESSION_ENDED, "m"), 400, `{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"session_ended"}}`},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "busy", "status", "503"), 503, `{"error":{"message":"busy","type":"server_error","param":null,"code":"provider_error"}}`},
		{errors.New("secret"), 500, `{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal"}}`},
	} {
		status, body := openai.Error(test.err)
		if status != test.status || string(body) != test.body {
			t.Errorf("%v: have %d %s\nwant %d %s", test.err, status, body, test.status, test.body)
		}
	}
}

// TestEveryReasonHasAForm holds that no reason gives a broken body or a
// success.
func TestEveryReasonHasAForm(t *testing.T) {
	t.Parallel()
	for number, name := range meshv1.ErrorReason_name {
		for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
			status, body := openai.Error(fault.New(code, meshv1.ErrorReason(number), "m"))
			var out struct {
				Error struct {
					Message, Type string
					Param, Code   *string
				}
			}
			if err := json.Unmarshal(body, &out); err != nil || status < 400 || status > 599 || out.Error.Message != "m" || out.Error.Type == "" || out.Error.Code == nil {
				t.Errorf("%s with %v: %d %s", name, code, status, body)
			}
		}
	}
}

// TestProviderError holds how providers' complaints are read, and that their
// words stay inside.
func TestProviderError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		reason meshv1.ErrorReason
	}{
		{429, `{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED},
		{429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED},
		{402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED},
		{401, `{"error":{"message":"Incorrect API key provided: sk-secret","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY},
		{403, `{"detail":"forbidden"}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY},
		{400, `{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED},
		{400, `{"object":"error","message":"This model's maximum context length is 4096 tokens","type":"BadRequestError","param":null,"code":400}`, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED},
		{400, `{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}`, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED},
		{404, `{"error":{"message":"The model 'x' does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND},
		{404, `{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error","param":null,"code":null}}`, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND},
		{404, `404 page not found`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED},
		{400, `{"error":{"message":"Unsupported value","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED},
		{400, `{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400}}`, meshv1.ErrorReason_ERROR_REASON_CONTENT_FILTERED},
		{429, `[{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}]`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED},
		{500, `{"error":"internal"}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR},
		{503, ``, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR},
		{502, `<html>Bad Gateway</html>`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR},
		{408, `{}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR},
		{200, `{"error":{"message":"Overloaded","code":529}}`, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR},
	} {
		f := openai.ProviderError(test.status, []byte(test.body))
		if f.Reason != test.reason || f.Metadata["status"] == "" {
			t.Errorf("%d %s: have %v %v", test.status, test.body, f, f.Metadata)
		}
		_, outside := openai.Error(f)
		if strings.Contains(string(outside), "sk-secret") || strings.Contains(string(outside), "exceeds") {
			t.Errorf("the provider's words get out: %s", outside)
		}
	}
	f := openai.ProviderError(400, []byte(`{"error":{"message":"no","param":"temperature"}}`))
	if f.Field() != "temperature" {
		t.Errorf("the field is lost: %v", f.Metadata)
	}
}

package transport

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/upstream"
)

func TestParseDetail(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]Detail{
		`{"error":{"message":"m","type":"t","code":"c","param":"p"}}`:        {Message: "m", Type: "t", Code: "c", Param: "p"},
		`{"error":{"message":"m","type":"t","code":400,"param":null}}`:       {Message: "m", Type: "t", Code: "400"},
		`{"type":"error","error":{"type":"overloaded_error","message":"m"}}`: {Message: "m", Type: "overloaded_error"},
		`{"error":"model \"x\" not found"}`:                                  {Message: `model "x" not found`},
		`{"object":"error","message":"m","type":"NotFoundError","code":404}`: {Message: "m", Type: "NotFoundError", Code: "404"},
		`{"detail":"no"}`: {Message: "no"},
		`{"detail":[{"loc":["body","x"],"msg":"field required"}]}`:           {Message: "field required"},
		`[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]`: {Message: "m", Code: "400", Type: "INVALID_ARGUMENT"},
		`<html>`: {}, ``: {}, `null`: {}, `{"error":{}}`: {}, `[]`: {}, `{"error":null}`: {},
	} {
		if diff := cmp.Diff(want, ParseDetail([]byte(body))); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

func FuzzParseDetail(f *testing.F) {
	f.Add([]byte(`{"error":{"message":"m"}}`))
	f.Add([]byte(`[[[{"detail":{"detail":1}}]]]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if text := Clean(ParseDetail(body).Message); len(text) > maxMessage+len("…") {
			t.Errorf("%d bytes", len(text))
		}
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	client, err := New(Config{Name: "p", BaseURL: "http://x/v1/", Secrets: []string{"hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status       int
		body, reason string
		key, value   string
	}{
		{401, `{"error":{"message":"Incorrect API key provided: sk-1234567890"}}`, "PROVIDER_REFUSED_KEY", "", ""},
		{403, `{}`, "PROVIDER_REFUSED_KEY", "", ""},
		{403, `{"error":{"message":"Your input was flagged by moderation"}}`, "CONTENT_FILTERED", "", ""},
		{402, `{}`, "PROVIDER_REFUSED_KEY", "", ""},
		{429, `{}`, "PROVIDER_RATE_LIMITED", "provider", "p"},
		{429, `{"error":{"code":"insufficient_quota"}}`, "PROVIDER_RATE_LIMITED", "quota", "exhausted"},
		{500, `{"error":{"message":"at /srv/secret.py"}}`, "PROVIDER_ERROR", "status", "500"},
		{529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, "PROVIDER_ERROR", "status", "529"},
		{302, ``, "PROVIDER_PROTOCOL", "status", "302"},
		{404, ``, "PROVIDER_ERROR", "status", "404"},
		{404, `{"error":"model \"x\" not found, try pulling it first"}`, "MODEL_NOT_FOUND", "", ""},
		{404, `{"error":{"code":"model_not_found","message":"no"}}`, "MODEL_NOT_FOUND", "", ""},
		{404, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}`, "MODEL_NOT_FOUND", "", ""},
		{400, `{"error":{"code":"context_length_exceeded","message":"This model's maximum context length is 8192 tokens."}}`, "CONTEXT_LENGTH_EXCEEDED", "limit", "8192"},
		{400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`, "CONTEXT_LENGTH_EXCEEDED", "limit", "200000"},
		{400, `{"error":{"type":"exceed_context_size_error","message":"the request exceeds the available context size"}}`, "CONTEXT_LENGTH_EXCEEDED", "limit", "0"},
		{400, `{"error":{"code":"content_filter","message":"no"}}`, "CONTENT_FILTERED", "", ""},
		{400, `{"error":{"message":"bad temperature","param":"temperature"}}`, "PROVIDER_REJECTED", "field", "temperature"},
		{422, `{"detail":"no"}`, "PROVIDER_REJECTED", "status", "422"},
	} {
		got := client.fault(c.status, ParseDetail([]byte(c.body)))
		if fault.ReasonName(got.Reason) != c.reason || got.Metadata["provider"] != "p" {
			t.Errorf("%d %s: %v %v", c.status, c.body, got, got.Metadata)
		}
		if c.key != "" && got.Metadata[c.key] != c.value {
			t.Errorf("%d %s: %s = %q, want %q", c.status, c.body, c.key, got.Metadata[c.key], c.value)
		}
		if strings.Contains(got.Message, "sk-") || strings.Contains(got.Message, "secret.py") {
			t.Errorf("leak: %s", got.Message)
		}
	}
}

func TestCleanHidesKeys(t *testing.T) {
	t.Parallel()
	got := Clean("bad\nkey hunter2 or sk-proj-abcdef123456 with Bearer abc.def \x00 "+strings.Repeat("ä", 400), "hunter2")
	if !strings.HasPrefix(got, "bad key [key] or [key] with [key] ää") || len(got) > 510 {
		t.Error(got)
	}
}

// TestCleanHidesAddresses: what a provider says of a request stays readable, without what
// tells of the operator's network.
func TestCleanHidesAddresses(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"see https://docs.example.com/errors?account=17&token=abc.":  "see https://docs.example.com/errors.",
		"no route to http://10.0.0.7:8000/v1/chat":                   "no route to [address]",
		"vllm at 10.1.2.3:8000 says no":                              "vllm at [address] says no",
		"dial tcp 127.0.0.1: refused":                                "dial tcp [address]: refused",
		"http://llm-0.llm.prod.svc.cluster.local/x and http://gpu1/": "[address] and [address]",
		"postgres://u:p@db.example.com/x is down":                    "postgres://db.example.com/x is down",
		"temperature must be within 0.0.2.5 and 8.8.8.8":             "temperature must be within 0.0.2.5 and 8.8.8.8",
		"unknown name: key AIzaSyA0123456789012345678901234567890":   "unknown name: key [key]",
		"project proj_abcdefghijklmnop1234 lacks o1":                 "project [key] lacks o1",
		"tools.0.name: a:b://c is no name":                           "tools.0.name: a:b://c is no name",
		"'max_tokens' must be at most 4096, e.g. 1:2":                "'max_tokens' must be at most 4096, e.g. 1:2",
	} {
		if got := Clean(message); got != want {
			t.Errorf("%q: %q; want %q", message, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0.5": 500 * time.Millisecond, "-3": 0, "x": 0, "NaN": 0, "1e99": 24 * time.Hour,
		"Fri, 20 Nov 2026 12:00:09 GMT": 9 * time.Second, "Fri, 20 Nov 2020 12:00:09 GMT": 0,
	} {
		if got := RetryAfter(upstream.Header{{Name: "Retry-After", Value: value}}, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	both := upstream.Header{{Name: "Retry-After", Value: "2"}, {Name: "Retry-After-Ms", Value: "1500"}}
	if got := RetryAfter(both, now); got != 1500*time.Millisecond {
		t.Error(got)
	}
}

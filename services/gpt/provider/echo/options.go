package echo

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/grpc/codes"
)

// The failures that Options.Fail may name, beside an HTTP status from 400 to
// 599, with which the call is refused before the answer begins.
const (
	// FailBefore refuses the call like a provider with status 500.
	FailBefore = "before"
	// FailAfter ends the answer with an error event.
	FailAfter = "after"
	// FailStall goes silent and stays connected.
	FailStall = "stall"
	// FailTruncate closes the stream before the end.
	FailTruncate = "truncate"
)

// Options say how the echo behaves. They stand behind the model's name as a
// query, by the names given here.
type Options struct {
	// First is the wait before the first token: first=1s.
	First time.Duration
	// Delay is the wait between chunks: delay=50ms.
	Delay time.Duration
	// Tokens is the length of the answer; what the user said is repeated or cut
	// to it. 0, the default, leaves it as it is: tokens=200.
	Tokens int
	// Chunk is how many tokens come at once, 1 by default: chunk=10.
	Chunk int
	// Reasoning is how many tokens are thought aloud first: reasoning=5.
	Reasoning int
	// Tools are called instead of an answer in text: tool=get_weather, or
	// tool=a,b for two calls.
	Tools []string
	// Args is the JSON of every call's arguments; "{}" by default: args={"a":1}.
	Args string
	// Fail is how the call fails: fail=before, after, stall, truncate, or an
	// HTTP status.
	Fail string
	// After is how many tokens come before a failure in mid-answer; half of
	// them by default: after=10.
	After int
	// RetryAfter goes with a refusal: retry_after=2s.
	RetryAfter time.Duration
	// Finish is the finish reason: finish=length, or content_filter.
	Finish string
	// NoUsage leaves out the count of tokens: usage=none.
	NoUsage bool
}

const (
	maxTokens = 1_000_000
	maxWait   = time.Hour
)

// ParseOptions reads the options of a model's name. The error is a fault that
// names the option.
func ParseOptions(model string) (Options, error) {
	o := Options{Chunk: 1, After: -1, Args: "{}"}
	_, query, _ := strings.Cut(model, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return o, fault.InvalidField("turn.model", "the options behind the ? are not a query: use echo?name=value&name=value")
	}
	for name, list := range values {
		if err := o.set(name, list[len(list)-1]); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o *Options) set(name, value string) (err error) {
	switch name {
	case "first":
		o.First, err = wait(name, value)
	case "delay":
		o.Delay, err = wait(name, value)
	case "retry_after":
		o.RetryAfter, err = wait(name, value)
	case "tokens":
		o.Tokens, err = count(name, value, 1)
	case "chunk":
		o.Chunk, err = count(name, value, 1)
	case "reasoning":
		o.Reasoning, err = count(name, value, 0)
	case "after":
		o.After, err = count(name, value, 0)
	case "tool":
		o.Tools = strings.Split(value, ",")
	case "args":
		o.Args = value
	case "usage":
		o.NoUsage = value == "none"
	case "finish":
		if o.Finish = value; value != "stop" && value != "length" && value != "content_filter" {
			err = invalid(name, "use stop, length or content_filter")
		}
	case "fail":
		o.Fail = value
		status, _ := strconv.Atoi(value)
		if !slices.Contains([]string{FailBefore, FailAfter, FailStall, FailTruncate}, value) && (status < 400 || status > 599) {
			err = invalid(name, "use before, after, stall, truncate or a status from 400 to 599")
		}
	default:
		err = invalid(name, "there is no such option: use first, delay, tokens, chunk, reasoning, tool, args, fail, after, retry_after, finish, usage")
	}
	return err
}

func invalid(name, description string) error {
	return fault.InvalidField("turn.model", "option "+name+": "+description)
}

func wait(name, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxWait {
		return 0, invalid(name, "use a duration up to 1h, such as 50ms")
	}
	return d, nil
}

func count(name, value string, least int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > maxTokens {
		return 0, invalid(name, "use a number from "+itoa(least)+" to "+itoa(maxTokens))
	}
	return n, nil
}

// failAfter is how many tokens come before the failure; -1 for none.
func (o Options) failAfter(tokens int) int {
	switch {
	case o.Fail != FailAfter && o.Fail != FailStall && o.Fail != FailTruncate:
		return -1
	case o.After < 0:
		return (tokens + 1) / 2
	}
	return min(o.After, tokens)
}

// refusal is the error of a call that fails before it begins, or nil.
func (o Options) refusal() error {
	status, _ := strconv.Atoi(o.Fail)
	if o.Fail == FailBefore {
		status = http.StatusInternalServerError
	}
	if status == 0 {
		return nil
	}
	f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED,
		"the test model was told to refuse with status "+itoa(status), "provider", Model, "status", itoa(status))
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.Code, f.Reason = codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY
	case status == http.StatusNotFound:
		f.Code, f.Reason = codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND
		f.Metadata["model"] = Model
	case status == http.StatusTooManyRequests:
		f.Code, f.Reason = codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED
	case status >= 500:
		f.Code, f.Reason = codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR
	}
	f.RetryAfter = o.RetryAfter
	return &provider.Error{Fault: f, Status: status, Refused: true}
}

func failure() *conversationv1.Failure {
	return &conversationv1.Failure{
		Code: int32(codes.Unavailable), Reason: meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
		Message: "the test model was told to fail", Metadata: map[string]string{"provider": Model, "status": "200"},
	}
}

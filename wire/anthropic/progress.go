package anthropic

import (
	"google.golang.org/grpc/codes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
)

// Positions in the result of a scan for eventKeys.
const (
	atType = iota
	atIndex
	atMessage
	atContentBlock
	atDelta
	atUsage
	atError
	eventKeyCount
)

var (
	eventKeys = jsonscan.NewKeys("type", "index", "message", "content_block", "delta", "usage", "error")
	startKeys = jsonscan.NewKeys("id", "model", "usage")
	stopKeys  = jsonscan.NewKeys("stop_reason", "stop_sequence")
	errorKeys = jsonscan.NewKeys("type")
)

// progress is how far an answer is, for all readers of its events.
type progress struct {
	started, done, failed bool
	tally                 tally
	stop, sequence        string
	at                    [eventKeyCount]jsonscan.Member
	inner                 [3]jsonscan.Member
}

// kind is the kind of an event, by its type, which repeats its name.
func (p *progress) scan(data []byte) (kind []byte, err error) {
	if _, err := jsonscan.Scan(data, eventKeys, p.at[:0]); err != nil {
		return nil, protocol("an event that is not a JSON object", err)
	}
	if p.at[atType].Kind != jsonscan.String {
		return nil, nil
	}
	raw := p.at[atType].Raw(data)
	return raw[1 : len(raw)-1], nil
}

// sub scans a member that is an object; false where it is none.
func (p *progress) sub(data []byte, member int, keys *jsonscan.Keys) ([]jsonscan.Member, bool) {
	if p.at[member].Kind != jsonscan.Object {
		return nil, false
	}
	at, err := jsonscan.ScanObject(data, p.at[member].Value, keys, p.inner[:0])
	return at, err == nil
}

func textOf(m jsonscan.Member, data []byte) string {
	if m.Kind != jsonscan.String {
		return ""
	}
	text, _ := m.Text(data)
	return text
}

// start reads message_start.
func (p *progress) start(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	at, ok := p.sub(data, atMessage, startKeys)
	if p.started || !ok {
		return dst, protocol("a second or empty message_start", nil)
	}
	p.started = true
	dst = append(dst, startedEvent(&conversationv1.Started{
		ProviderResponseId: textOf(at[0], data), Model: textOf(at[1], data),
	}))
	if p.tally.read(data, at[2]); p.tally.given {
		dst = append(dst, usageEvent(p.tally.usage()))
	}
	return dst, nil
}

// delta reads message_delta: why the model stopped, and the usage.
func (p *progress) delta(dst []*conversationv1.Event, data []byte) []*conversationv1.Event {
	if at, ok := p.sub(data, atDelta, stopKeys); ok && at[0].Kind == jsonscan.String {
		p.stop, p.sequence = textOf(at[0], data), textOf(at[1], data)
	}
	if p.tally.read(data, p.at[atUsage]); p.tally.given {
		dst = append(dst, usageEvent(p.tally.usage()))
	}
	return dst
}

// fail reads an error event.
func (p *progress) fail(dst []*conversationv1.Event, data []byte) []*conversationv1.Event {
	if !p.started {
		p.started = true
		dst = append(dst, startedEvent(&conversationv1.Started{}))
	}
	p.failed = true
	kind := ""
	if at, ok := p.sub(data, atError, errorKeys); ok {
		kind = textOf(at[0], data)
	}
	return append(dst, failedEvent(wire.Failure(reportedFault(kind))))
}

// end is the end of a stream.
func (p *progress) end(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	switch {
	case p.failed:
		return dst, nil
	case !p.done:
		return dst, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
			"the provider closed its stream before the end of the answer")
	}
	return append(dst, finishedEvent()), nil
}

// protocol is the fault for what the provider must not send.
func protocol(what string, cause error) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL, "the provider sent "+what).WithCause(cause)
}

// reportedFault is the fault for an error that the provider told of in
// mid-answer, by its type. Its words stay inside.
func reportedFault(kind string) *fault.Fault {
	switch kind {
	case "rate_limit_error":
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "the provider's limit of calls is used up")
	case "invalid_request_error", "request_too_large", "not_found_error":
		return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED, "the provider found the request invalid")
	case "authentication_error", "permission_error", "billing_error":
		return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, "the provider did not accept the configured key")
	case "overloaded_error":
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider is overloaded")
	}
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider reported an error")
}

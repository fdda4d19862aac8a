package bedrock

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/events"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
)

// spoiled are the stop reasons of answers that cannot be used.
var spoiled = []string{"malformed_model_output", "malformed_tool_use"}

var (
	stopKeys     = jsonscan.NewKeys("stopReason")
	metadataKeys = jsonscan.NewKeys("usage")
	usageKeys    = jsonscan.NewKeys("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "outputTokens")
)

// progress is how far an answer is, for all readers of its events.
type progress struct {
	started, done, failed bool
	stop                  string
}

// start reads messageStart.
func (p *progress) start(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	if p.started {
		return dst, jsonbody.Protocol("a second messageStart", nil)
	}
	p.started = true
	return append(dst, events.Started(&conversationv1.Started{})), nil
}

// messageStop reads why the model stopped.
func (p *progress) messageStop(line []byte, payload jsonscan.Member) error {
	var room [1]jsonscan.Member
	at, err := jsonscan.ScanObject(line, payload.Value, stopKeys, room[:0])
	if err != nil {
		return jsonbody.Protocol("a messageStop that cannot be read", err)
	}
	p.stop, p.done = jsonbody.Text(at[0], line), true
	return nil
}

// metadata reads the usage.
func (p *progress) metadata(dst []*conversationv1.Event, line []byte, payload jsonscan.Member) []*conversationv1.Event {
	var room [1]jsonscan.Member
	at, err := jsonscan.ScanObject(line, payload.Value, metadataKeys, room[:0])
	if err != nil {
		return dst
	}
	if usage := readUsage(line, at[0]); usage != nil {
		dst = append(dst, events.Usage(usage))
	}
	return dst
}

// readUsage counts cached tokens in, as the canonical usage does. Nil where
// there are no counts.
func readUsage(body []byte, m jsonscan.Member) *conversationv1.Usage {
	if m.Kind != jsonscan.Object {
		return nil
	}
	var room [4]jsonscan.Member
	at, err := jsonscan.ScanObject(body, m.Value, usageKeys, room[:0])
	if err != nil {
		return nil
	}
	var counts [4]int64
	given := false
	for i, m := range at {
		if n, err := m.Int64(body); err == nil && n >= 0 {
			counts[i], given = n, true
		}
	}
	if !given {
		return nil
	}
	return &conversationv1.Usage{
		InputTokens: counts[0] + counts[1] + counts[2], CachedInputTokens: counts[1], CacheWriteTokens: counts[2], OutputTokens: counts[3],
		Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
}

// writeUsage writes the counts as the dialect has them: cached tokens apart.
func writeUsage(w *jsonbody.Writer, usage *conversationv1.Usage) {
	input := max(usage.GetInputTokens()-usage.GetCachedInputTokens()-usage.GetCacheWriteTokens(), 0)
	w.Key("usage")
	w.Open('{')
	w.IntField("inputTokens", input)
	w.IntField("outputTokens", usage.GetOutputTokens())
	w.IntField("totalTokens", usage.GetInputTokens()+usage.GetOutputTokens())
	w.IntField("cacheReadInputTokens", usage.GetCachedInputTokens())
	w.IntField("cacheWriteInputTokens", usage.GetCacheWriteTokens())
	w.Close('}')
}

// fail reads an event that tells of an error.
func (p *progress) fail(dst []*conversationv1.Event, name string) []*conversationv1.Event {
	if !p.started {
		p.started = true
		dst = append(dst, events.Started(&conversationv1.Started{}))
	}
	p.failed = true
	return append(dst, events.Failed(wire.Failure(reportedFault(name))))
}

// end is the end of a stream.
func (p *progress) end(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	switch {
	case p.failed:
		return dst, nil
	case !p.done:
		return dst, jsonbody.Truncated()
	case slices.Contains(spoiled, p.stop):
		p.failed = true
		return append(dst, events.Failed(wire.Failure(fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
			"the provider gave the answer up ("+p.stop+")")))), nil
	}
	return append(dst, events.Finished()), nil
}

// reportedFault is the fault for an error that the provider told of in
// mid-answer, by its name. Its words stay inside.
func reportedFault(name string) *fault.Fault {
	switch name {
	case "throttlingException", "serviceQuotaExceededException":
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "the provider's limit of calls is used up")
	case "validationException", "resourceNotFoundException":
		return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED, "the provider found the request invalid")
	case "accessDeniedException", "unrecognizedClientException", "expiredTokenException":
		return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, "the provider did not accept the configured key")
	case "serviceUnavailableException", "modelNotReadyException":
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider is overloaded")
	}
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider reported an error")
}

// finishReason reads stopReason.
func finishReason(stop string, called bool) conversationv1.FinishReason {
	switch stop {
	case "end_turn", "stop_sequence":
		return conversationv1.FinishReason_FINISH_REASON_STOP
	case "max_tokens", "model_context_window_exceeded":
		return conversationv1.FinishReason_FINISH_REASON_LENGTH
	case "tool_use":
		return conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	case "guardrail_intervened", "content_filtered":
		return conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER
	}
	if called {
		return conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	}
	return conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED
}

// stopReason writes it. A model that called tools and just stopped, as OpenAI has
// it of a forced tool, waits for their results.
func stopReason(reason conversationv1.FinishReason, sequence string, called bool) string {
	switch reason {
	case conversationv1.FinishReason_FINISH_REASON_LENGTH:
		return "max_tokens"
	case conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS:
		return "tool_use"
	case conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER, conversationv1.FinishReason_FINISH_REASON_REFUSAL:
		return "content_filtered"
	}
	switch {
	case sequence != "":
		return "stop_sequence"
	case called:
		return "tool_use"
	}
	return "end_turn"
}

package ollama

import (
	"bytes"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Positions in the result of a scan for lineKeys.
const (
	lineModel = iota
	lineCreatedAt
	lineMessage
	lineResponse
	lineThinking
	lineToolCalls
	lineDone
	lineDoneReason
	linePromptEvalCount
	lineEvalCount
	lineError
	lineLogprobs
	lineKeyCount
)

var lineKeys = jsonscan.NewKeys("model", "created_at", "message", "response", "thinking", "tool_calls", "done", "done_reason",
	"prompt_eval_count", "eval_count", "error", "logprobs")

// lines reads what all readers of an answer need of its lines: the beginning,
// the end, and failure.
type lines struct {
	codec
	started, done, failed bool
	end                   *timestamppb.Timestamp
	at                    [lineKeyCount]jsonscan.Member
	line                  []byte
}

// nextLine cuts the first line off data. A last line without an end counts.
func nextLine(data []byte) (line, rest []byte) {
	line = data
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		line, rest = data[:i], data[i+1:]
	}
	return bytes.TrimSpace(line), rest
}

// begin scans a line and appends started before the first event of all, and
// failed where the line tells of an error.
func (l *lines) begin(dst []*conversationv1.Event, line []byte) ([]*conversationv1.Event, error) {
	if _, err := jsonscan.Scan(line, lineKeys, l.at[:0]); err != nil {
		return dst, protocol("a line that is not a JSON object", err)
	}
	l.line = line
	if !l.started {
		l.started = true
		started := &conversationv1.Started{CreateTime: l.time()}
		started.Model = l.textOf(lineModel)
		dst = append(dst, startedEvent(started))
	}
	if m := l.at[lineError]; m.Present() && m.Kind != jsonscan.Null {
		l.failed = true
		dst = append(dst, failedEvent(wire.Failure(reportedFault(l.textOf(lineError)))))
	}
	return dst, nil
}

// textOf is a member's text, "" where it is no text.
func (l *lines) textOf(key int) string {
	if l.at[key].Kind != jsonscan.String {
		return ""
	}
	text, _ := l.at[key].Text(l.line)
	return text
}

func (l *lines) countOf(key int) int64 {
	if l.at[key].Kind != jsonscan.Number {
		return 0
	}
	n, _ := l.at[key].Int64(l.line)
	return max(n, 0)
}

func (l *lines) time() *timestamppb.Timestamp {
	at, err := time.Parse(time.RFC3339Nano, l.textOf(lineCreatedAt))
	if err != nil {
		return nil
	}
	return timestamppb.New(at)
}

// last reads a line with done: the usage, where there is any.
func (l *lines) last() *conversationv1.Usage {
	l.done, l.end = true, l.time()
	if !l.at[lineEvalCount].Present() && !l.at[linePromptEvalCount].Present() {
		return nil
	}
	return &conversationv1.Usage{
		InputTokens: l.countOf(linePromptEvalCount), OutputTokens: l.countOf(lineEvalCount),
		Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
}

// End implements wire.StreamDecoder and wire.RawScanner: an answer is whole
// once a line said done.
func (l *lines) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	switch {
	case l.failed:
		return dst, nil
	case !l.done:
		return dst, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
			"the provider closed its stream before the end of the answer")
	}
	return append(dst, finishedEvent(&conversationv1.Finished{FinishTime: l.end})), nil
}

// protocol is the fault for what the provider must not send.
func protocol(what string, cause error) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL, "the provider sent "+what).WithCause(cause)
}

// reportedFault is the fault for an error that an Ollama server told of. Its
// words stay inside: they are the cause.
func reportedFault(text string) *fault.Fault {
	lower := strings.ToLower(text)
	for _, sign := range []string{"context length", "context size", "input length exceeds", "exceeds maximum context"} {
		if strings.Contains(lower, sign) {
			return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
				"the turn does not fit the model's context").WithCause(providerError(text))
		}
	}
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
		"the provider reported an error").WithCause(providerError(text))
}

// providerError is a provider's own words.
type providerError string

func (e providerError) Error() string { return string(e) }

package responses

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The members of an event, by position.
const (
	atType = iota
	atResponse
	atItem
	atItemID
	atOutputIndex
	atDelta
	atLogprobs
	atError
	atTextDone
	atSummaryIndex
	atPart
	frameMembers
)

var frameKeys = jsonscan.NewKeys(
	"type", "response", "item", "item_id", "output_index", "delta", "logprobs", "error", "text", "summary_index", "part",
)

// The members of an answer, by position.
const (
	atAnswerID = iota
	atAnswerModel
	atCreatedAt
	atStatus
	atOutput
	atUsage
	atFailure
	atIncomplete
	atObject
	answerMembers
)

var answerKeys = jsonscan.NewKeys("id", "model", "created_at", "status", "output", "usage", "error", "incomplete_details", "object")

// frame is one event of a streamed answer.
type frame struct {
	body    []byte
	members [frameMembers]jsonscan.Member
	kind    string
}

// scan finds the members. Bytes that are no UTF-8 become U+FFFD: some servers
// cut characters in two.
func (f *frame) scan(data []byte) error {
	f.body = data
	_, err := jsonscan.Scan(data, frameKeys, f.members[:])
	if errors.Is(err, jsonscan.ErrSyntax) && !utf8.Valid(data) {
		f.body = bytes.ToValidUTF8(data, []byte("\uFFFD"))
		_, err = jsonscan.Scan(f.body, frameKeys, f.members[:])
	}
	if err != nil {
		return protocol("an event is not a JSON object", err)
	}
	f.kind = text(f.body, f.members[atType])
	return nil
}

// fails says whether the event tells of an error.
func (f *frame) fails() bool {
	return f.kind == "error" || f.kind == "response.failed" || f.kind == "" && f.members[atError].Kind == jsonscan.Object
}

// number is a member that counts, 0 where it is none.
func (f *frame) number(i int) int64 {
	n, err := f.members[i].Int64(f.body)
	if err != nil {
		return 0
	}
	return n
}

// text is a string member's value, "" where it is none.
func text(body []byte, m jsonscan.Member) string {
	if m.Kind != jsonscan.String {
		return ""
	}
	s, err := m.Text(body)
	if err != nil {
		return ""
	}
	return s
}

// whole is an answer, in an event or by itself.
type whole struct {
	body    []byte
	members [answerMembers]jsonscan.Member
}

// scan reads an answer; false where it is no object.
func (a *whole) scan(body []byte, at jsonscan.Member) bool {
	a.body = body
	if at.Kind != jsonscan.Object {
		return false
	}
	_, err := jsonscan.ScanObject(body, at.Value, answerKeys, a.members[:])
	return err == nil
}

func (a *whole) started() *conversationv1.Event {
	started := &conversationv1.Started{Model: text(a.body, a.members[atAnswerModel]), ProviderResponseId: text(a.body, a.members[atAnswerID])}
	if created, err := a.members[atCreatedAt].Float64(a.body); err == nil && created > 0 && created < 1<<40 {
		started.CreateTime = &timestamppb.Timestamp{Seconds: int64(created)}
	}
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: started}}
}

// failure is why an answer failed. Cancelled answers give no reason.
func (a *whole) failure() *fault.Fault {
	if text(a.body, a.members[atStatus]) == cancelled {
		return fault.New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "the answer was cancelled at the provider")
	}
	if a.members[atFailure].Kind == jsonscan.Object {
		return openai.ProviderError(0, a.members[atFailure].Raw(a.body))
	}
	return openai.ProviderError(0, nil)
}

var incompleteKeys = jsonscan.NewKeys("reason")

// reason is why an answer ended; calls says that it called tools, refused that
// it declined in words.
func (a *whole) reason(calls, refused bool) conversationv1.FinishReason {
	why := ""
	if a.members[atIncomplete].Kind == jsonscan.Object {
		var found [1]jsonscan.Member
		if _, err := jsonscan.ScanObject(a.body, a.members[atIncomplete].Value, incompleteKeys, found[:]); err == nil {
			why = text(a.body, found[0])
		}
	}
	switch {
	case why == "content_filter":
		return conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER
	case text(a.body, a.members[atStatus]) == incomplete:
		return conversationv1.FinishReason_FINISH_REASON_LENGTH
	case calls:
		return conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	case refused:
		return conversationv1.FinishReason_FINISH_REASON_REFUSAL
	}
	return conversationv1.FinishReason_FINISH_REASON_STOP
}

var (
	usageKeys  = jsonscan.NewKeys("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")
	detailKeys = jsonscan.NewKeys("cached_tokens", "reasoning_tokens", "cache_write_tokens")
)

// usage is the count of tokens, nil where there is none.
func (a *whole) usage() *conversationv1.Usage {
	if a.members[atUsage].Kind != jsonscan.Object {
		return nil
	}
	var found [4]jsonscan.Member
	if _, err := jsonscan.ScanObject(a.body, a.members[atUsage].Value, usageKeys, found[:]); err != nil {
		return nil
	}
	if found[0].Kind != jsonscan.Number && found[1].Kind != jsonscan.Number {
		return nil
	}
	u := &conversationv1.Usage{
		InputTokens: count(a.body, found[0]), OutputTokens: count(a.body, found[1]),
		Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
	for _, m := range found[2:] {
		var inner [3]jsonscan.Member
		if m.Kind != jsonscan.Object {
			continue
		}
		if _, err := jsonscan.ScanObject(a.body, m.Value, detailKeys, inner[:]); err != nil {
			continue
		}
		u.CachedInputTokens = max(u.CachedInputTokens, count(a.body, inner[0]))
		u.ReasoningTokens = max(u.ReasoningTokens, count(a.body, inner[1]))
		u.CacheWriteTokens = max(u.CacheWriteTokens, count(a.body, inner[2]))
	}
	return u
}

// count reads a number of tokens; what is none is 0.
func count(body []byte, m jsonscan.Member) int64 {
	n, err := m.Float64(body)
	if err != nil || n < 0 || n > math.MaxInt32*1024 {
		return 0
	}
	return int64(n)
}

// isDone says whether an event's data is the mark of the end of other dialects,
// which some servers send here too.
func isDone(data []byte) bool {
	return len(data) > 0 && data[0] == '[' && strings.TrimSpace(string(data)) == "[DONE]"
}

// progress is how far a streamed answer is.
type progress struct {
	started bool
	failed  bool
	done    bool // the answer's own end was seen
}

// begin appends started, once.
func (p *progress) begin(dst []*conversationv1.Event, a *whole) []*conversationv1.Event {
	if p.started {
		return dst
	}
	p.started = true
	return append(dst, a.started())
}

// fail appends the end of an answer that is not whole, and what it cost.
func (p *progress) fail(dst []*conversationv1.Event, f *frame) []*conversationv1.Event {
	p.failed = true
	var a whole
	failure := (*fault.Fault)(nil)
	if a.scan(f.body, f.members[atResponse]) {
		if usage := a.usage(); usage != nil {
			dst = append(dst, usageEvent(usage))
		}
		failure = a.failure()
	} else {
		failure = openai.ProviderError(0, f.body)
	}
	return append(dst, failedEvent(failure))
}

func usageEvent(u *conversationv1.Usage) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: u}}
}

func failedEvent(f *fault.Fault) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(f)}}
}

// truncated is the fault for an answer without its end.
func truncated() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
		"the provider closed its stream before the end of the answer")
}

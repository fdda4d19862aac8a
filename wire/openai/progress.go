package openai

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

// progress is how far a streamed answer is.
type progress struct {
	started bool
	failed  bool
	done    bool // [DONE] was seen
	seen    choiceSet
	ended   choiceSet
	usage   *conversationv1.Usage // not yet given out
	made    *eventRoom            // for the events of an answer that is one body; nil for a stream
}

// choiceSet is a set of choice indexes.
type choiceSet [wire.MaxChoices / 64]uint64

func (s *choiceSet) add(i int64) { s[i/64] |= 1 << (i % 64) }

// whole says whether the answer has reached its end: servers that leave out
// [DONE] have then ended every choice.
func (p *progress) whole() bool {
	return p.done || p.seen != choiceSet{} && p.seen == p.ended
}

// giveUsage appends the newest count of tokens.
func (p *progress) giveUsage(dst []*conversationv1.Event) []*conversationv1.Event {
	if p.usage == nil {
		return dst
	}
	dst = append(dst, p.made.usageEvent(p.usage))
	p.usage = nil
	return dst
}

// fail appends the end of an answer that is not whole.
func (p *progress) fail(dst []*conversationv1.Event, f *fault.Fault) []*conversationv1.Event {
	dst = p.giveUsage(dst)
	p.failed = true
	return append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(f)}})
}

// truncated is the fault for an answer without its end.
func truncated() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
		"the provider closed its stream before the end of the answer")
}

// isDone says whether an event's data is the mark of the end.
func isDone(data []byte) bool {
	return len(data) > 0 && data[0] == '[' && strings.TrimSpace(string(data)) == "[DONE]"
}

// The members of a choice, by position.
const (
	atIndex = iota
	atDelta
	atMessage
	atFinishReason
	atChoiceLogprobs
	atChoiceUsage
	atStopReason
	choiceMembers
)

var choiceKeys = jsonscan.NewKeys("index", "delta", "message", "finish_reason", "logprobs", "usage", "stop_reason")

// choice is one entry of choices.
type choice struct {
	body    []byte
	members [choiceMembers]jsonscan.Member
	index   int64
}

func (c *choice) scan(body []byte, at jsonscan.Member) error {
	c.body = body
	if _, err := jsonscan.ScanObject(body, at.Value, choiceKeys, c.members[:]); err != nil {
		return protocol("a choice is not an object", err)
	}
	c.index = 0
	if c.members[atIndex].Kind == jsonscan.Number {
		n, err := c.members[atIndex].Int64(body)
		if err != nil || n < 0 || n >= wire.MaxChoices {
			return protocol("a choice's index is out of range", err)
		}
		c.index = n
	}
	return nil
}

// ending is what a finish_reason says.
type ending struct {
	reason conversationv1.FinishReason
	// broken is set where the provider gave up.
	broken bool
}

// endings are the reasons that OpenAI gives, and what others write for them.
var endings = map[string]ending{
	"stop":                         {reason: conversationv1.FinishReason_FINISH_REASON_STOP},
	"eos":                          {reason: conversationv1.FinishReason_FINISH_REASON_STOP},
	"eos_token":                    {reason: conversationv1.FinishReason_FINISH_REASON_STOP},
	"end_turn":                     {reason: conversationv1.FinishReason_FINISH_REASON_STOP},
	"stop_sequence":                {reason: conversationv1.FinishReason_FINISH_REASON_STOP},
	"length":                       {reason: conversationv1.FinishReason_FINISH_REASON_LENGTH},
	"max_tokens":                   {reason: conversationv1.FinishReason_FINISH_REASON_LENGTH},
	"model_length":                 {reason: conversationv1.FinishReason_FINISH_REASON_LENGTH},
	"tool_calls":                   {reason: conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS},
	"tool_use":                     {reason: conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS},
	"function_call":                {reason: conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS},
	"content_filter":               {reason: conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER},
	"safety":                       {reason: conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER},
	"error":                        {broken: true}, // OpenRouter
	"abort":                        {broken: true}, // vLLM
	"insufficient_system_resource": {broken: true}, // DeepSeek
}

// ending reads the finish_reason; false where there is none yet.
func (c *choice) ending() (ending, bool) {
	if c.members[atFinishReason].Kind != jsonscan.String {
		return ending{}, false
	}
	raw := c.members[atFinishReason].Raw(c.body)
	if known, ok := endings[string(raw[1:len(raw)-1])]; ok { // as it mostly is
		return known, true
	}
	word, err := c.members[atFinishReason].Text(c.body)
	if err != nil || word == "" {
		return ending{}, false
	}
	return endings[strings.ToLower(word)], true
}

// stopSequence is the stop text that was met, where a server tells (vLLM).
func (c *choice) stopSequence(ending ending) string {
	if c.members[atStopReason].Kind != jsonscan.String || ending.reason != conversationv1.FinishReason_FINISH_REASON_STOP {
		return ""
	}
	word, err := c.members[atStopReason].Text(c.body)
	if _, known := endings[word]; err != nil || known {
		return ""
	}
	return word
}

// gaveUp is the fault for an answer that the provider broke off by itself.
func gaveUp() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider broke the answer off")
}

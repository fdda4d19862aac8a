package gemini

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

// Positions in the result of a scan for chunkKeys.
const (
	atCandidates = iota
	atUsage
	atFeedback
	atError
	atID
	atModel
	chunkKeyCount
)

// Positions in the result of a scan for candidateKeys.
const (
	atIndex = iota
	atReason
	atContent
	atLogprobs
	candidateKeyCount
)

var (
	chunkKeys     = jsonscan.NewKeys("candidates", "usageMetadata", "promptFeedback", "error", "responseId", "modelVersion")
	candidateKeys = jsonscan.NewKeys("index", "finishReason", "content", "logprobsResult")
	feedbackKeys  = jsonscan.NewKeys("blockReason")
	errorKeys     = jsonscan.NewKeys("status", "code")
)

// progress is how far an answer is, for all readers of its chunks.
type progress struct {
	started, failed bool
	id              string
	tally           tally
	counted         bool          // the tally has counts that were not given out
	choices         []choiceState // those seen, by index
	at              [chunkKeyCount]jsonscan.Member
	inner           [candidateKeyCount]jsonscan.Member
}

// choiceState is how far a choice is. A reason counts only at the end: models
// have given one with every chunk.
type choiceState struct {
	seen   bool
	reason string
	calls  int32
}

// chunk reads one chunk: its start, its candidates, its usage. each is called
// with every candidate; it may be nil.
func (p *progress) chunk(dst []*conversationv1.Event, data []byte, each candidateReader) ([]*conversationv1.Event, error) {
	if _, err := jsonscan.Scan(data, chunkKeys, p.at[:0]); err != nil {
		return dst, jsonbody.Protocol("a chunk that is not a JSON object", err)
	}
	if !p.started {
		p.started = true
		p.id = jsonbody.Text(p.at[atID], data)
		dst = append(dst, events.Started(&conversationv1.Started{
			ProviderResponseId: p.id, Model: ModelName(jsonbody.Text(p.at[atModel], data)),
		}))
	}
	if p.at[atError].Kind == jsonscan.Object {
		return p.fail(dst, reportedFault(p.errorStatus(data))), nil
	}
	dst, err := p.candidates(dst, data, each)
	if err != nil {
		return dst, err
	}
	if p.tally.read(data, p.at[atUsage]) {
		p.counted = true
	}
	if reason := p.blocked(data); reason != "" {
		dst = p.fail(dst, blockedFault(reason))
	}
	return dst, nil
}

// candidateReader reads what a candidate says.
type candidateReader func(dst []*conversationv1.Event, data []byte, index int32, at []jsonscan.Member) ([]*conversationv1.Event, error)

func (p *progress) candidates(dst []*conversationv1.Event, data []byte, each candidateReader) ([]*conversationv1.Event, error) {
	if p.at[atCandidates].Kind != jsonscan.Array {
		return dst, nil
	}
	var failed error
	err := jsonscan.ForEachElement(data, p.at[atCandidates].Value, func(m jsonscan.Member) bool {
		if m.Kind != jsonscan.Object {
			failed = jsonbody.Protocol("a candidate that is not an object", nil)
			return false
		}
		at, err := jsonscan.ScanObject(data, m.Value, candidateKeys, p.inner[:0])
		if err != nil {
			failed = jsonbody.Protocol("a candidate that cannot be read", err)
			return false
		}
		index := int64(0)
		if at[atIndex].Kind == jsonscan.Number {
			if index, err = at[atIndex].Int64(data); err != nil || index < 0 || index >= wire.MaxChoices {
				failed = jsonbody.Protocol("a candidate without a usable index", err)
				return false
			}
		}
		if n := int(index) + 1 - len(p.choices); n > 0 {
			p.choices = append(p.choices, make([]choiceState, n)...)
		}
		state := &p.choices[index]
		state.seen = true
		if reason := jsonbody.Text(at[atReason], data); reason != "" {
			state.reason = reason
		}
		if each != nil {
			dst, failed = each(dst, data, int32(index), at)
		}
		return failed == nil
	})
	switch {
	case failed != nil:
		return dst, failed
	case err != nil:
		return dst, jsonbody.Protocol("candidates that cannot be read", err)
	}
	return dst, nil
}

// errorStatus is the API's word for an error.
func (p *progress) errorStatus(data []byte) string {
	at, err := jsonscan.ScanObject(data, p.at[atError].Value, errorKeys, p.inner[:0])
	if err != nil {
		return ""
	}
	return jsonbody.Text(at[0], data)
}

// blocked is why the prompt was refused, or "".
func (p *progress) blocked(data []byte) string {
	if p.at[atFeedback].Kind != jsonscan.Object {
		return ""
	}
	at, err := jsonscan.ScanObject(data, p.at[atFeedback].Value, feedbackKeys, p.inner[:0])
	if err != nil {
		return ""
	}
	if reason := jsonbody.Text(at[0], data); reason != "BLOCK_REASON_UNSPECIFIED" {
		return reason
	}
	return ""
}

// giveUsage appends the newest counts: nearly every chunk has others, so once for a read.
func (p *progress) giveUsage(dst []*conversationv1.Event) []*conversationv1.Event {
	if !p.counted {
		return dst
	}
	p.counted = false
	return append(dst, events.Usage(p.tally.usage()))
}

func (p *progress) fail(dst []*conversationv1.Event, f *fault.Fault) []*conversationv1.Event {
	dst = p.giveUsage(dst)
	p.failed = true
	return append(dst, events.Failed(wire.Failure(f)))
}

// end is the end of an answer. typed adds the ends of the choices.
func (p *progress) end(dst []*conversationv1.Event, typed bool) ([]*conversationv1.Event, error) {
	if p.failed {
		return dst, nil
	}
	dst = p.giveUsage(dst)
	first, sound := -1, false
	for i, choice := range p.choices {
		switch {
		case !choice.seen:
			continue
		case choice.reason == "":
			return dst, jsonbody.Truncated()
		case first < 0:
			first = i
		}
		sound = sound || !slices.Contains(spoiled, choice.reason)
	}
	switch {
	case first < 0:
		return dst, jsonbody.Truncated()
	case !sound:
		return p.fail(dst, spoiledFault(p.choices[first].reason)), nil
	}
	for i, choice := range p.choices {
		if choice.seen && typed {
			dst = append(dst, events.ChoiceFinished(&conversationv1.ChoiceFinished{
				Choice: int32(i), Reason: finishReason(choice.reason, choice.calls > 0),
			}))
		}
	}
	return append(dst, events.Finished()), nil
}

// reportedFault is the fault for an error that the provider told of in
// mid-answer, by its status. Its words stay inside.
func reportedFault(status string) *fault.Fault {
	switch status {
	case "RESOURCE_EXHAUSTED":
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "the provider's limit of calls is used up")
	case "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "NOT_FOUND":
		return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED, "the provider found the request invalid")
	case "UNAUTHENTICATED", "PERMISSION_DENIED":
		return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, "the provider did not accept the configured key")
	case "UNAVAILABLE":
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider is overloaded")
	}
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "the provider reported an error")
}

func blockedFault(reason string) *fault.Fault {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_CONTENT_FILTERED,
		"the provider refused the prompt on policy grounds ("+known(reason)+")")
}

func spoiledFault(reason string) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
		"the provider gave the answer up ("+known(reason)+")")
}

// known holds a reason to the form of the API's own words, since clients see it.
func known(reason string) string {
	for _, c := range reason {
		if (c < 'A' || c > 'Z') && c != '_' {
			return "OTHER"
		}
	}
	return reason[:min(len(reason), 64)]
}

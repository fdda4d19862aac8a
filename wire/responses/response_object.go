package responses

import (
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
)

// States of answers that items have not.
const (
	queued    = "queued"
	failed    = "failed"
	cancelled = "cancelled"
)

// object is an answer as a client sees it.
type object struct {
	id, model string
	created   int64
	finished  int64 // 0 where nobody said when
	status    string
	reason    string // why it is incomplete
	failure   *conversationv1.Failure
	usage     *conversationv1.Usage
	echo      *Echo
	items     []*item
	open      string // the state of the last item
}

// identify fills in who answers.
func (o *object) identify(started *conversationv1.Started, options wire.AnswerOptions) {
	switch {
	case options.ID != "":
		o.id = options.ID
	case started.GetResponseId() != "":
		o.id = started.GetResponseId()
	case started.GetProviderResponseId() != "":
		o.id = started.GetProviderResponseId()
	default:
		o.id = ids.New("resp")
	}
	o.model = options.Model
	if o.model == "" {
		o.model = started.GetModel()
	}
	named, known := TimeOf(o.id)
	switch {
	case !options.Created.IsZero():
		o.created = options.Created.Unix()
	case started.GetCreateTime().GetSeconds() != 0:
		o.created = started.GetCreateTime().GetSeconds()
	case known: // The same each time that the answer is encoded.
		o.created = named.Unix()
	case options.Now != nil:
		o.created = options.Now().Unix()
	default:
		o.created = time.Now().Unix()
	}
}

// finish sets the state that a choice's end brings.
func (o *object) finish(reason conversationv1.FinishReason) {
	o.status, o.open = completed, completed
	switch reason {
	case conversationv1.FinishReason_FINISH_REASON_LENGTH:
		o.status, o.open, o.reason = incomplete, incomplete, "max_output_tokens"
	case conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER:
		o.status, o.open, o.reason = incomplete, incomplete, "content_filter"
	case conversationv1.FinishReason_FINISH_REASON_REFUSAL:
		for _, it := range o.items {
			for _, part := range it.parts {
				if part.refusal {
					return // The model has told it in words.
				}
			}
		}
		o.status, o.reason = incomplete, "content_filter"
	}
}

// fail sets the state of an answer that is not whole.
func (o *object) fail(failure *conversationv1.Failure) {
	o.status, o.open, o.reason = failed, incomplete, ""
	if failure.GetReason() == meshv1.ErrorReason_ERROR_REASON_CANCELLED {
		o.status = cancelled
		return
	}
	o.failure = failure
}

// write writes the whole object.
func (o *object) write(w *writer) {
	e := o.echo
	w.Open('{')
	w.StrField("id", o.id)
	w.StrField("object", "response")
	w.IntField("created_at", o.created)
	w.Key("completed_at")
	if o.status == completed {
		w.Int(max(o.finished, o.created))
	} else {
		w.Raw("null")
	}
	w.StrField("status", o.status)
	w.RawField("background", e.or(echoBackground, "false"))
	if conversation := e.or(echoConversation, ""); conversation != "" {
		w.RawField("conversation", conversation)
	}
	w.Key("error")
	if o.failure != nil {
		c := complaintOf(wire.Fault(o.failure))
		w.Open('{')
		w.RawField("code", c.code)
		w.RawField("message", c.message)
		w.Close('}')
	} else {
		w.Raw("null")
	}
	w.Key("incomplete_details")
	if o.reason != "" {
		w.Open('{')
		w.StrField("reason", o.reason)
		w.Close('}')
	} else {
		w.Raw("null")
	}
	w.RawField("frequency_penalty", e.or(echoFrequencyPenalty, "0"))
	w.RawField("instructions", e.or(echoInstructions, "null"))
	w.RawField("max_output_tokens", e.or(echoMaxOutputTokens, "null"))
	w.RawField("max_tool_calls", e.or(echoMaxToolCalls, "null"))
	w.StrField("model", o.model)
	w.Key("output")
	w.Open('[')
	for i, it := range o.items {
		status := completed
		if i == len(o.items)-1 && o.open != "" && !it.done {
			status = o.open
		}
		w.item(it, status)
	}
	w.Close(']')
	w.RawField("parallel_tool_calls", e.or(echoParallelToolCalls, "true"))
	w.RawField("presence_penalty", e.or(echoPresencePenalty, "0"))
	w.RawField("previous_response_id", e.or(echoPreviousResponse, "null"))
	w.RawField("prompt_cache_key", e.or(echoPromptCacheKey, "null"))
	w.RawField("reasoning", e.with(echoReasoning, [2]string{"effort", "null"}, [2]string{"summary", "null"}))
	w.RawField("safety_identifier", e.or(echoSafetyIdentifier, "null"))
	w.RawField("service_tier", e.or(echoServiceTier, `"auto"`))
	w.RawField("store", e.or(echoStore, "true"))
	w.RawField("temperature", e.or(echoTemperature, "1"))
	w.RawField("text", e.with(echoText, [2]string{"format", `{"type":"text"}`}))
	w.RawField("tool_choice", e.or(echoToolChoice, `"auto"`))
	w.RawField("tools", e.or(echoTools, "[]"))
	w.RawField("top_logprobs", e.or(echoTopLogprobs, "0"))
	w.RawField("top_p", e.or(echoTopP, "1"))
	w.RawField("truncation", e.or(echoTruncation, `"disabled"`))
	w.Key("usage")
	switch {
	case o.usage != nil:
		w.usage(o.usage)
	case o.status == completed || o.status == incomplete:
		w.usage(&conversationv1.Usage{}) // Clients read it without looking whether it is there.
	default:
		w.Raw("null")
	}
	w.RawField("user", e.or(echoUser, "null"))
	w.RawField("metadata", e.or(echoMetadata, "{}"))
	w.Close('}')
}

// usage writes a count of tokens. Counts that the provider did not make itself
// are marked with a member of the mesh's own.
func (w *writer) usage(u *conversationv1.Usage) {
	w.Open('{')
	w.IntField("input_tokens", u.GetInputTokens())
	w.Key("input_tokens_details")
	w.Open('{')
	w.IntField("cached_tokens", u.GetCachedInputTokens())
	if u.GetCacheWriteTokens() > 0 {
		w.IntField("cache_write_tokens", u.GetCacheWriteTokens())
	}
	w.Close('}')
	w.IntField("output_tokens", u.GetOutputTokens())
	w.Key("output_tokens_details")
	w.Open('{')
	w.IntField("reasoning_tokens", u.GetReasoningTokens())
	w.Close('}')
	w.IntField("total_tokens", u.GetInputTokens()+u.GetOutputTokens())
	switch u.GetSource() {
	case conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED:
		w.RawField("gptmesh", `{"usage_source":"estimated"}`)
	case conversationv1.UsageSource_USAGE_SOURCE_PARTIAL:
		w.RawField("gptmesh", `{"usage_source":"partial"}`)
	case conversationv1.UsageSource_USAGE_SOURCE_UNSPECIFIED:
		w.RawField("gptmesh", `{"usage_source":"unknown"}`)
	}
	w.Close('}')
}

// complaint is an error as OpenAI words it: JSON values.
type complaint struct{ message, kind, param, code string }

var (
	errorKeys   = jsonscan.NewKeys("error")
	errorInside = jsonscan.NewKeys("message", "type", "param", "code")
)

// complaintOf words a fault. code is a string always: clients demand one.
func complaintOf(f *fault.Fault) complaint {
	_, body := openai.Error(f)
	c := complaint{`""`, `"server_error"`, "null", `"server_error"`}
	found, err := jsonscan.Scan(body, errorKeys, nil)
	if err != nil {
		return c
	}
	inside, err := jsonscan.ScanObject(body, found[0].Value, errorInside, nil)
	if err != nil {
		return c
	}
	for i, at := range []*string{&c.message, &c.kind, &c.param, &c.code} {
		if inside[i].Kind == jsonscan.String {
			*at = string(inside[i].Raw(body))
		}
	}
	return c
}

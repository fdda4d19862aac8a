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
	w.open('{')
	w.strField("id", o.id)
	w.strField("object", "response")
	w.intField("created_at", o.created)
	w.strField("status", o.status)
	w.rawField("background", e.or(echoBackground, "false"))
	if conversation := e.or(echoConversation, ""); conversation != "" {
		w.rawField("conversation", conversation)
	}
	w.key("error")
	if o.failure != nil {
		c := complaintOf(wire.Fault(o.failure))
		w.open('{')
		w.rawField("code", c.code)
		w.rawField("message", c.message)
		w.close('}')
	} else {
		w.raw("null")
	}
	w.key("incomplete_details")
	if o.reason != "" {
		w.open('{')
		w.strField("reason", o.reason)
		w.close('}')
	} else {
		w.raw("null")
	}
	w.rawField("instructions", e.or(echoInstructions, "null"))
	w.rawField("max_output_tokens", e.or(echoMaxOutputTokens, "null"))
	w.rawField("max_tool_calls", e.or(echoMaxToolCalls, "null"))
	w.strField("model", o.model)
	w.key("output")
	w.open('[')
	for i, it := range o.items {
		status := completed
		if i == len(o.items)-1 && o.open != "" && !it.done {
			status = o.open
		}
		w.item(it, status)
	}
	w.close(']')
	w.rawField("parallel_tool_calls", e.or(echoParallelToolCalls, "true"))
	w.rawField("previous_response_id", e.or(echoPreviousResponse, "null"))
	w.rawField("prompt_cache_key", e.or(echoPromptCacheKey, "null"))
	w.rawField("reasoning", e.with(echoReasoning, [2]string{"effort", "null"}, [2]string{"summary", "null"}))
	w.rawField("safety_identifier", e.or(echoSafetyIdentifier, "null"))
	w.rawField("service_tier", e.or(echoServiceTier, `"auto"`))
	w.rawField("store", e.or(echoStore, "true"))
	w.rawField("temperature", e.or(echoTemperature, "1"))
	w.rawField("text", e.with(echoText, [2]string{"format", `{"type":"text"}`}))
	w.rawField("tool_choice", e.or(echoToolChoice, `"auto"`))
	w.rawField("tools", e.or(echoTools, "[]"))
	w.rawField("top_logprobs", e.or(echoTopLogprobs, "0"))
	w.rawField("top_p", e.or(echoTopP, "1"))
	w.rawField("truncation", e.or(echoTruncation, `"disabled"`))
	w.key("usage")
	switch {
	case o.usage != nil:
		w.usage(o.usage)
	case o.status == completed || o.status == incomplete:
		w.usage(&conversationv1.Usage{}) // Clients read it without looking whether it is there.
	default:
		w.raw("null")
	}
	w.rawField("user", e.or(echoUser, "null"))
	w.rawField("metadata", e.or(echoMetadata, "{}"))
	w.close('}')
}

// usage writes a count of tokens. Counts that the provider did not make itself
// are marked with a member of the mesh's own.
func (w *writer) usage(u *conversationv1.Usage) {
	w.open('{')
	w.intField("input_tokens", u.GetInputTokens())
	w.key("input_tokens_details")
	w.open('{')
	w.intField("cached_tokens", u.GetCachedInputTokens())
	if u.GetCacheWriteTokens() > 0 {
		w.intField("cache_write_tokens", u.GetCacheWriteTokens())
	}
	w.close('}')
	w.intField("output_tokens", u.GetOutputTokens())
	w.key("output_tokens_details")
	w.open('{')
	w.intField("reasoning_tokens", u.GetReasoningTokens())
	w.close('}')
	w.intField("total_tokens", u.GetInputTokens()+u.GetOutputTokens())
	switch u.GetSource() {
	case conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED:
		w.rawField("gptmesh", `{"usage_source":"estimated"}`)
	case conversationv1.UsageSource_USAGE_SOURCE_PARTIAL:
		w.rawField("gptmesh", `{"usage_source":"partial"}`)
	case conversationv1.UsageSource_USAGE_SOURCE_UNSPECIFIED:
		w.rawField("gptmesh", `{"usage_source":"unknown"}`)
	}
	w.close('}')
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

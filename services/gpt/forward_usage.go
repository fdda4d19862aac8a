package gpt

import (
	"bytes"
	"encoding/json"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/services/gpt/internal/tokens"
)

// maxTail is how much of an answer's end is kept to find its usage in: OpenAI's
// dialect has it behind the data, in a body as in the last event of a stream.
const maxTail = 4 << 10

// usageTail keeps the end of an answer that is passed on.
type usageTail struct{ kept []byte }

func (t *usageTail) add(data []byte) {
	if len(data) > maxTail {
		data = data[len(data)-maxTail:]
	}
	if over := len(t.kept) + len(data) - maxTail; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	t.kept = append(t.kept, data...)
}

// usage is what the answer's last member of that name counts; nil where it
// counts no tokens.
func (t *usageTail) usage() *conversationv1.Usage {
	const member = `"usage"`
	at := bytes.LastIndex(t.kept, []byte(member))
	if at < 0 {
		return nil
	}
	value := bytes.TrimLeft(t.kept[at+len(member):], ": \t\r\n")
	var told struct {
		InputTokens      int64 `json:"input_tokens"`
		PromptTokens     int64 `json:"prompt_tokens"`
		OutputTokens     int64 `json:"output_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
		Details          struct {
			CachedTokens int64 `json:"cached_tokens"`
		} `json:"input_tokens_details"`
	}
	// Transcriptions may tell seconds instead: those are no tokens.
	if json.NewDecoder(bytes.NewReader(value)).Decode(&told) != nil {
		return nil
	}
	out := &conversationv1.Usage{
		InputTokens: max(told.InputTokens, told.PromptTokens, 0), OutputTokens: max(told.OutputTokens, told.CompletionTokens, 0),
		CachedInputTokens: max(told.Details.CachedTokens, 0), Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
	if out.InputTokens == 0 && out.OutputTokens == 0 {
		return nil
	}
	return out
}

var promptKeys = jsonscan.NewKeys("input", "prompt")

// estimateForward guesses at the tokens of the text in a body.
func estimateForward(req *gptv1.ForwardRequest) int64 {
	if manages(req.GetOperation()) {
		return 0
	}
	var room [2]jsonscan.Member
	found, err := jsonscan.Scan(req.GetBody(), promptKeys, room[:0])
	if err != nil {
		return 0 // a form: sound and pictures
	}
	return tokens.Estimate(len(found[0].Raw(req.GetBody())) + len(found[1].Raw(req.GetBody())))
}

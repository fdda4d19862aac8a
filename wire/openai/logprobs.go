package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/logprobs"
)

var logprobsKeys = jsonscan.NewKeys("content", "refusal")

// decodeLogprobs reads the log probabilities beside a text and a refusal. What
// is not of the known form is passed over.
func decodeLogprobs(body []byte, at jsonscan.Member) (content, refusal []*conversationv1.TokenLogprob) {
	var found [2]jsonscan.Member
	if at.Kind != jsonscan.Object {
		return nil, nil
	}
	if _, err := jsonscan.ScanObject(body, at.Value, logprobsKeys, found[:]); err != nil {
		return nil, nil
	}
	return logprobs.Decode(body, found[0]), logprobs.Decode(body, found[1])
}

// appendLogprobs appends the logprobs member's value.
func appendLogprobs(dst []byte, content, refusal []*conversationv1.TokenLogprob) []byte {
	if len(content) == 0 && len(refusal) == 0 {
		return append(dst, "null"...)
	}
	w := writer{jsonbody.Writer{B: dst}}
	w.Open('{')
	for _, of := range [...]struct {
		name   string
		tokens []*conversationv1.TokenLogprob
	}{{"content", content}, {"refusal", refusal}} {
		w.Key(of.name)
		if len(of.tokens) == 0 {
			w.Raw("null")
			continue
		}
		jsonbody.List(&w.Writer, of.tokens, func(t *conversationv1.TokenLogprob) { w.token(t, true) })
	}
	w.Close('}')
	return w.B
}

func (w *writer) token(t *conversationv1.TokenLogprob, withTop bool) {
	w.Open('{')
	w.StrField("token", t.GetToken())
	w.FloatField("logprob", t.GetLogprob())
	w.Key("bytes")
	raw := t.GetBytes()
	if len(raw) == 0 {
		raw = []byte(t.GetToken())
	}
	jsonbody.List(&w.Writer, raw, func(b byte) { w.Int(int64(b)) })
	if withTop {
		w.Key("top_logprobs")
		jsonbody.List(&w.Writer, t.GetTop(), func(top *conversationv1.TokenLogprob) { w.token(top, false) })
	}
	w.Close('}')
}

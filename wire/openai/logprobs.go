package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

var logprobsKeys = jsonscan.NewKeys("content", "refusal")

var tokenKeys = jsonscan.NewKeys("token", "logprob", "bytes", "top_logprobs")

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
	return decodeTokens(body, found[0], true), decodeTokens(body, found[1], true)
}

func decodeTokens(body []byte, at jsonscan.Member, withTop bool) (tokens []*conversationv1.TokenLogprob) {
	if at.Kind != jsonscan.Array {
		return nil
	}
	// The body was scanned: what can fail is the form of a token alone.
	_ = jsonscan.ForEachElement(body, at.Value, func(m jsonscan.Member) bool {
		if token := decodeToken(body, m, withTop); token != nil {
			tokens = append(tokens, token)
		}
		return true
	})
	return tokens
}

func decodeToken(body []byte, at jsonscan.Member, withTop bool) *conversationv1.TokenLogprob {
	var found [4]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, at.Value, tokenKeys, found[:]); err != nil {
		return nil
	}
	text, err := found[0].Text(body)
	if err != nil {
		return nil
	}
	token := &conversationv1.TokenLogprob{Token: text}
	if p, err := found[1].Float64(body); err == nil {
		token.Logprob = p
	}
	if found[2].Kind == jsonscan.Array {
		var raw []byte
		_ = jsonscan.ForEachElement(body, found[2].Value, func(m jsonscan.Member) bool {
			n, err := m.Int64(body)
			if err != nil || n < 0 || n > 255 {
				raw = nil
				return false
			}
			raw = append(raw, byte(n))
			return true
		})
		if string(raw) != text {
			token.Bytes = raw
		}
	}
	if withTop {
		token.Top = decodeTokens(body, found[3], false)
	}
	return token
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

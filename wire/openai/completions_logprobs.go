package openai

import (
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

var textLogprobsKeys = jsonscan.NewKeys("tokens", "token_logprobs", "top_logprobs")

// decodeTextLogprobs reads the three lists of a text's log probabilities. What is
// not of the known form is passed over.
func decodeTextLogprobs(body []byte, at jsonscan.Member) (tokens []*conversationv1.TokenLogprob) {
	var lists [3]jsonscan.Member
	if at.Kind != jsonscan.Object {
		return nil
	}
	if _, err := jsonscan.ScanObject(body, at.Value, textLogprobsKeys, lists[:]); err != nil {
		return nil
	}
	each := func(list int, fn func(token *conversationv1.TokenLogprob, m jsonscan.Member)) {
		if lists[list].Kind != jsonscan.Array {
			return
		}
		i := 0
		// The body was scanned: nothing can fail.
		_ = jsonscan.ForEachElement(body, lists[list].Value, func(m jsonscan.Member) bool {
			if list == 0 {
				tokens = append(tokens, &conversationv1.TokenLogprob{})
			}
			if i < len(tokens) {
				fn(tokens[i], m)
			}
			i++
			return true
		})
	}
	each(0, func(token *conversationv1.TokenLogprob, m jsonscan.Member) { token.Token, _ = m.Text(body) })
	each(1, func(token *conversationv1.TokenLogprob, m jsonscan.Member) { token.Logprob, _ = m.Float64(body) })
	each(2, func(token *conversationv1.TokenLogprob, m jsonscan.Member) {
		if m.Kind != jsonscan.Object {
			return
		}
		_ = jsonscan.ForEachMember(body, m.Value, func(top jsonscan.Member) bool {
			if p, err := top.Float64(body); err == nil {
				token.Top = append(token.Top, &conversationv1.TokenLogprob{Token: string(top.AppendName(nil, body)), Logprob: p})
			}
			return true
		})
	})
	return tokens
}

// appendTextLogprobs appends the logprobs member's value and returns the offset,
// in characters, behind the last token.
func appendTextLogprobs(dst []byte, tokens []*conversationv1.TokenLogprob, offset int) ([]byte, int) {
	if len(tokens) == 0 {
		return append(dst, "null"...), offset
	}
	w := writer{jsonbody.Writer{B: dst}}
	w.Open('{')
	w.Key("tokens")
	jsonbody.List(&w.Writer, tokens, func(t *conversationv1.TokenLogprob) { w.Str(t.GetToken()) })
	w.Key("token_logprobs")
	jsonbody.List(&w.Writer, tokens, func(t *conversationv1.TokenLogprob) { w.Float(t.GetLogprob()) })
	w.Key("top_logprobs")
	jsonbody.List(&w.Writer, tokens, w.topOfText)
	w.Key("text_offset")
	jsonbody.List(&w.Writer, tokens, func(t *conversationv1.TokenLogprob) {
		w.Int(int64(offset))
		offset += utf8.RuneCountInString(t.GetToken())
	})
	w.Close('}')
	return w.B, offset
}

// topOfText writes a token's alternatives; a member's name stands once.
func (w *writer) topOfText(t *conversationv1.TokenLogprob) {
	seen := make(map[string]bool, len(t.GetTop()))
	w.Open('{')
	for _, top := range t.GetTop() {
		if !seen[top.GetToken()] {
			seen[top.GetToken()] = true
			w.FloatField(top.GetToken(), top.GetLogprob())
		}
	}
	w.Close('}')
}

package openai

import (
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
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
	w := writer{b: dst}
	w.open('{')
	w.key("tokens")
	writeList(&w, tokens, func(t *conversationv1.TokenLogprob) { w.str(t.GetToken()) })
	w.key("token_logprobs")
	writeList(&w, tokens, func(t *conversationv1.TokenLogprob) { w.number(t.GetLogprob()) })
	w.key("top_logprobs")
	writeList(&w, tokens, w.topOfText)
	w.key("text_offset")
	writeList(&w, tokens, func(t *conversationv1.TokenLogprob) {
		w.integer(int64(offset))
		offset += utf8.RuneCountInString(t.GetToken())
	})
	w.close('}')
	return w.b, offset
}

// topOfText writes a token's alternatives; a member's name stands once.
func (w *writer) topOfText(t *conversationv1.TokenLogprob) {
	seen := make(map[string]bool, len(t.GetTop()))
	w.open('{')
	for _, top := range t.GetTop() {
		if !seen[top.GetToken()] {
			seen[top.GetToken()] = true
			w.numField(top.GetToken(), top.GetLogprob())
		}
	}
	w.close('}')
}

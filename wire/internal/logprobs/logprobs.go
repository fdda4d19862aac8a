// Package logprobs reads the log probabilities of tokens as OpenAI's wires have them.
package logprobs

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

var keys = jsonscan.NewKeys("token", "logprob", "bytes", "top_logprobs")

// Decode reads a list of tokens at a place of a body that was scanned. What is not of the
// known form is passed over.
func Decode(body []byte, at jsonscan.Member) []*conversationv1.TokenLogprob {
	return decode(body, at, true)
}

func decode(body []byte, at jsonscan.Member, withTop bool) (tokens []*conversationv1.TokenLogprob) {
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
	if _, err := jsonscan.ScanObject(body, at.Value, keys, found[:]); err != nil {
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
		token.Top = decode(body, found[3], false)
	}
	return token
}

package jsonbody

import "github.com/gptmesh/gptmesh/pkg/jsonscan"

// Halves joins characters that a provider cut in two. Beyond U+FFFF JSON
// escapes a character as two halves, and tokenizers cut between them; a first
// half at the end of a piece waits here for the next one.
type Halves struct {
	// Kept says that nobody changes the bodies any more: texts may lie in them.
	Kept bool
	held []byte
}

const escapeLength = len(`\ud83d`)

// Held tells whether a first half waits.
func (h *Halves) Held() bool { return len(h.held) > 0 }

// Text is the meaning of the next piece, a string value.
func (h *Halves) Text(body []byte, m jsonscan.Member) (string, error) {
	if m.Kind != jsonscan.String {
		return m.Text(body)
	}
	inside := body[m.Value.Start+1 : m.Value.End-1]
	half := EndsInHalf(inside)
	if !half && len(h.held) == 0 {
		if h.Kept {
			return m.TextIn(body)
		}
		return m.Text(body)
	}
	joined := append(append([]byte{'"'}, h.held...), inside...)
	h.held = h.held[:0]
	if half && len(inside) > 0 {
		h.held = append(h.held, joined[len(joined)-escapeLength:]...)
		joined = joined[:len(joined)-escapeLength]
	}
	joined = append(joined, '"')
	whole := jsonscan.Member{Kind: jsonscan.String, Value: jsonscan.Span{End: len(joined)}}
	return whole.Text(joined)
}

// End is what was held for a second half that never came.
func (h *Halves) End() string {
	if len(h.held) == 0 {
		return ""
	}
	h.held = nil
	return "\uFFFD"
}

// EndsInHalf says whether a string's inside ends with the escape of a first
// half.
func EndsInHalf(inside []byte) bool {
	at := len(inside) - escapeLength
	if at < 0 || inside[at] != '\\' || inside[at+1] != 'u' || inside[at+2]|0x20 != 'd' {
		return false
	}
	switch inside[at+3] | 0x20 {
	case '8', '9', 'a', 'b':
	default:
		return false
	}
	backslashes := 0
	for i := at - 1; i >= 0 && inside[i] == '\\'; i-- {
		backslashes++
	}
	return backslashes%2 == 0
}

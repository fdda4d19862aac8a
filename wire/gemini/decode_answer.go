package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// DecodeAnswer implements wire.Codec. A whole answer reads like a stream of one
// chunk; one whose candidates have no finishReason is refused.
func (codec) DecodeAnswer(body []byte) ([]*conversationv1.Event, error) {
	d := &streamDecoder{}
	decoded, err := d.chunk(nil, body, d.candidate)
	if err != nil {
		return nil, err
	}
	decoded, err = d.end(decoded, true)
	if err != nil {
		return nil, jsonbody.Protocol("an answer without a finished candidate", nil)
	}
	return decoded, nil
}

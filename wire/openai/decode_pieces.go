package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

var pieceKeys = jsonscan.NewKeys("type", "text", "thinking")

// pieces decodes content that is an array: text, and thoughts that are arrays
// of text themselves.
func (s *choiceDecoder) pieces(dst []*conversationv1.Event, body []byte, at jsonscan.Member) ([]*conversationv1.Event, error) {
	var failed error
	err := jsonscan.ForEachElement(body, at.Value, func(m jsonscan.Member) bool {
		var found [3]jsonscan.Member
		if _, failed = jsonscan.ScanObject(body, m.Value, pieceKeys, found[:]); failed != nil {
			return false
		}
		if found[2].Kind == jsonscan.Array {
			dst, failed = s.thinking(dst, body, found[2])
			return failed == nil
		}
		if found[1].Kind != jsonscan.String {
			return true
		}
		var text string
		if text, failed = s.content.Text(body, found[1]); text != "" {
			dst = append(dst, s.made.textEvent(s.index, text, nil))
		}
		return failed == nil
	})
	if failed == nil {
		failed = err
	}
	if failed != nil {
		return dst, protocol("content cannot be read", failed)
	}
	return dst, nil
}

func (s *choiceDecoder) thinking(dst []*conversationv1.Event, body []byte, at jsonscan.Member) ([]*conversationv1.Event, error) {
	var failed error
	err := jsonscan.ForEachElement(body, at.Value, func(m jsonscan.Member) bool {
		var found [3]jsonscan.Member
		if _, failed = jsonscan.ScanObject(body, m.Value, pieceKeys, found[:]); failed != nil || found[1].Kind != jsonscan.String {
			return failed == nil
		}
		var text string
		if text, failed = s.reason.Text(body, found[1]); text != "" {
			dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Choice: s.index, Text: text}))
		}
		return failed == nil
	})
	if failed == nil {
		failed = err
	}
	return dst, failed
}

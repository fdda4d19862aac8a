package openai

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

var (
	choicesKeys  = jsonscan.NewKeys("choices")
	messageKeys  = jsonscan.NewKeys("message")
	thoughtsKeys = jsonscan.NewKeys("reasoning_content", "reasoning")
)

// AddReasoning appends to dst the body of a whole answer, with the thoughts of each
// choice in "reasoning" as well, for clients that read no other member. A body that has
// nothing to add, or cannot be read, is returned itself.
func AddReasoning(dst, body []byte) []byte {
	if !bytes.Contains(body, []byte(`"reasoning_content"`)) {
		return body
	}
	found, err := jsonscan.Scan(body, choicesKeys, nil)
	if err != nil || found[0].Kind != jsonscan.Array {
		return body
	}
	from := 0
	// The body was scanned, so nothing can fail.
	_ = jsonscan.ForEachElement(body, found[0].Value, func(choice jsonscan.Member) bool {
		thoughts := inside(body, inside(body, choice, messageKeys)[0], thoughtsKeys)
		if thoughts[0].Kind == jsonscan.String && (thoughts[1].Kind == jsonscan.Absent) {
			dst = append(dst, body[from:thoughts[0].Value.End]...)
			dst = append(append(dst, `,"reasoning":`...), thoughts[0].Raw(body)...)
			from = thoughts[0].Value.End
		}
		return true
	})
	if from == 0 {
		return body
	}
	return append(dst, body[from:]...)
}

// thought writes a piece of a thought in the members that the client reads.
func (e *streamEncoder) thought(dst []byte, index int32, text string) []byte {
	dst = jsonscan.AppendString(append(dst, `"reasoning_content":`...), text)
	if e.options.Reasoning {
		dst = jsonscan.AppendString(append(dst, `,"reasoning":`...), text)
	}
	if e.options.OpenRouter {
		dst = append(dst, `,"reasoning_details":[`...)
		dst = append(appendDetail(dst, &conversationv1.Reasoning{Text: text}, e.choice(index).blocks), ']')
	}
	return dst
}

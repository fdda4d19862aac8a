package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// block is one entry of reasoning_details (OpenRouter) or thinking_blocks
// (LiteLLM): a thought with its signature, or an encrypted one.
type block struct {
	text, signature, redacted string
	hasText                   bool
}

// readBlock reports false where the entry is of another kind or form.
func readBlock(body []byte, at jsonscan.Member) (block, bool) {
	var b block
	kind := ""
	if at.Kind != jsonscan.Object {
		return b, false
	}
	known := true
	err := jsonscan.ForEachMember(body, at.Value, func(m jsonscan.Member) bool {
		if m.Kind != jsonscan.String {
			return true
		}
		text, err := m.Text(body)
		if err != nil {
			known = false
			return false
		}
		switch {
		case m.NameIs(body, "type"):
			kind = text
		case m.NameIs(body, "text"), m.NameIs(body, "thinking"):
			b.text, b.hasText = text, true
		case m.NameIs(body, "signature"):
			b.signature = text
		case m.NameIs(body, "data"):
			b.redacted = text
		}
		return true
	})
	switch kind {
	case "reasoning.text", "thinking":
		b.redacted = ""
	case "reasoning.encrypted", "redacted_thinking":
		b.text, b.signature = "", ""
		known = known && b.redacted != ""
	default:
		known = false
	}
	return b, known && err == nil
}

// knownBlocks says whether every entry can be read.
func knownBlocks(m *jsonbody.Value) bool {
	known := m.Kind == jsonscan.Array
	if !known {
		return false
	}
	err := jsonscan.ForEachElement(m.Body(), m.Value, func(e jsonscan.Member) bool {
		_, known = readBlock(m.Body(), e)
		return known
	})
	return known && err == nil
}

// decodeBlocks makes parts of entries. Plain is the text that stands beside
// them; it fills the first thought that brings a signature alone.
func decodeBlocks(m *jsonbody.Value, plain string) (parts []*conversationv1.ContentPart, err error) {
	texts := false
	err = m.Elements(func(_ int, e *jsonbody.Value) error {
		b, known := readBlock(e.Body(), e.Member)
		if !known {
			return e.Malformed("a block of reasoning")
		}
		texts = texts || b.text != ""
		parts = append(parts, reasoningPart(&conversationv1.Reasoning{Text: b.text, Signature: b.signature, Redacted: b.redacted}))
		return nil
	})
	if err != nil || texts || plain == "" {
		return parts, err
	}
	for _, part := range parts {
		if r := part.GetReasoning(); r.GetRedacted() == "" {
			r.Text = plain
			return parts, nil
		}
	}
	return append([]*conversationv1.ContentPart{reasoningPart(&conversationv1.Reasoning{Text: plain})}, parts...), nil
}

package message

import (
	"fmt"
	"strings"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// Problem says what is wrong with a message.
type Problem struct {
	// Field is the path within the message, "parts" or "parts[1].text".
	Field string
	// Description is for people.
	Description string
}

// Check returns what is wrong with a message, or nil. It is the room's own part
// of the rules: a message says something, its role is set, and its text is
// text.
func Check(m *conversationv1.Message) *Problem {
	if m.GetRole() == conversationv1.Role_ROLE_UNSPECIFIED {
		return &Problem{Field: "role", Description: "must be set"}
	}
	if !isText(m.GetId()) {
		return &Problem{Field: "id", Description: "must be UTF-8 without U+0000"}
	}
	blank := true
	for i, part := range m.GetParts() {
		if part.GetKind() == nil {
			return &Problem{Field: fmt.Sprintf("parts[%d].kind", i), Description: "must be set"}
		}
		blank = blank && isBlank(part)
	}
	if blank {
		return &Problem{Field: "parts", Description: "must hold more than blank text"}
	}
	return nil
}

// isText says whether every store can keep s as text.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// isBlank says whether a part says nothing at all. Tool calls and tool results
// always say something.
func isBlank(part *conversationv1.ContentPart) bool {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		return strings.TrimSpace(kind.Text) == ""
	case *conversationv1.ContentPart_Refusal:
		return strings.TrimSpace(kind.Refusal) == ""
	case *conversationv1.ContentPart_Reasoning:
		r := kind.Reasoning
		return strings.TrimSpace(r.GetText()) == "" && r.GetSignature() == "" && r.GetRedacted() == ""
	case *conversationv1.ContentPart_Image:
		return kind.Image.GetUrl() == "" && len(kind.Image.GetData()) == 0
	case *conversationv1.ContentPart_Audio:
		return len(kind.Audio.GetData()) == 0 && kind.Audio.GetId() == ""
	case *conversationv1.ContentPart_File:
		f := kind.File
		return len(f.GetData()) == 0 && f.GetUrl() == "" && f.GetFileId() == ""
	}
	return false
}

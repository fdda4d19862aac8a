package openai

import (
	"bytes"
	"unicode/utf8"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
)

// twin is an event of which all but the text is known: the next one is most
// often the same but for that, and need not be read again.
type twin struct {
	known         bool
	before, after []byte
}

// learn keeps an event whose text is body[start:end].
func (t *twin) learn(body []byte, start, end int) {
	t.known = true
	t.before, t.after = append(t.before[:0], body[:start]...), append(t.after[:0], body[end:]...)
}

// text is the text of an event that is alike in everything else. A text with
// escapes is left to those who read them.
func (t *twin) text(event wire.ServerEvent) ([]byte, bool) {
	data := event.Data
	if !t.known || len(event.Name) > 0 || len(data) < len(t.before)+len(t.after) ||
		!bytes.HasPrefix(data, t.before) || !bytes.HasSuffix(data, t.after) {
		return nil, false
	}
	text := data[len(t.before) : len(data)-len(t.after)]
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			return nil, false
		}
	}
	return text, utf8.Valid(text)
}

// lone says that the chunk holds one choice with a text and nothing that another
// chunk alike would have to be read for.
func (d *streamDecoder) lone(c choice) bool {
	chunk := &d.chunk
	if chunk.members[atUsage].Kind == jsonscan.Object || chunk.members[atXGroq].Kind == jsonscan.Object || c.members[atChoiceUsage].Kind == jsonscan.Object {
		return false
	}
	choices := 0
	err := jsonscan.ForEachElement(chunk.body, chunk.members[atChoices].Value, func(jsonscan.Member) bool { choices++; return choices < 2 })
	return err == nil && choices == 1
}

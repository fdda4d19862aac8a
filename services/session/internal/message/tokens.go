package message

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// What the room takes content for, in tokens. Text is counted by bytes, which
// is right on average for English in the usual vocabularies and too high rather
// than too low for most other scripts. The rest are flat figures near the upper
// end of what providers bill, so that a budget is kept rather than broken.
const (
	// BytesPerToken is for text, names, arguments and JSON.
	BytesPerToken = 4
	// PerMessage is the frame around a message.
	PerMessage = 4
	// PerImage is one image; providers bill 85 to 1,600.
	PerImage = 1024
	// PerSmallImage is one image of detail "low".
	PerSmallImage = 85
	// AudioBytesPerToken is for inline sound: ten tokens a second at 128
	// kbit/s.
	AudioBytesPerToken = 1600
	// FileBytesPerToken is for inline documents that are not plain text.
	FileBytesPerToken = 32
	// PerRemoteFile is one document given by address or file id.
	PerRemoteFile = 2048
)

// Tokens returns the estimate for a message.
func Tokens(m *conversationv1.Message) int64 {
	count := counter{flat: PerMessage, text: len(m.GetName())}
	count.parts(m.GetParts())
	return count.total()
}

// counter adds up text, which is rounded once, and flat figures.
type counter struct {
	text int
	flat int64
}

func (c *counter) total() int64 {
	return c.flat + int64((c.text+BytesPerToken-1)/BytesPerToken)
}

func (c *counter) parts(parts []*conversationv1.ContentPart) {
	for _, part := range parts {
		c.part(part)
	}
}

func (c *counter) part(part *conversationv1.ContentPart) {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		c.text += len(kind.Text)
	case *conversationv1.ContentPart_Refusal:
		c.text += len(kind.Refusal)
	case *conversationv1.ContentPart_Reasoning:
		c.text += len(kind.Reasoning.GetText()) + len(kind.Reasoning.GetRedacted())
	case *conversationv1.ContentPart_Image:
		if kind.Image.GetDetail() == "low" {
			c.flat += PerSmallImage
		} else {
			c.flat += PerImage
		}
	case *conversationv1.ContentPart_Audio:
		c.flat += perBytes(len(kind.Audio.GetData()), AudioBytesPerToken)
		c.text += len(kind.Audio.GetTranscript())
	case *conversationv1.ContentPart_File:
		c.file(kind.File)
	case *conversationv1.ContentPart_ToolCall:
		c.text += len(kind.ToolCall.GetName()) + len(kind.ToolCall.GetArgumentsJson())
	case *conversationv1.ContentPart_ToolResult:
		c.text += len(kind.ToolResult.GetToolName())
		c.parts(kind.ToolResult.GetParts())
	case *conversationv1.ContentPart_Opaque:
		c.text += len(kind.Opaque.GetJson())
	}
}

func (c *counter) file(f *conversationv1.File) {
	c.text += len(f.GetFilename())
	switch {
	case len(f.GetData()) == 0:
		c.flat += PerRemoteFile
	case isPlainText(f.GetMediaType()):
		c.text += len(f.GetData())
	default:
		c.flat += perBytes(len(f.GetData()), FileBytesPerToken)
	}
}

func isPlainText(mediaType string) bool {
	return len(mediaType) >= 5 && mediaType[:5] == "text/" || mediaType == "application/json"
}

func perBytes(n, size int) int64 { return int64((n + size - 1) / size) }

package anthropic

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
)

// image writes a picture of a type that the API takes.
func (e *turnEncoder) image(b *writer, image *conversationv1.Image) bool {
	if image.GetDetail() != "" {
		e.drop(dropped.ImageDetail)
	}
	switch {
	case image.GetUrl() != "":
		b.StrField("type", "image")
		source(b, "url", func() { b.StrField("url", image.GetUrl()) })
		return true
	case len(image.GetData()) > 0:
		switch image.GetMediaType() {
		case "image/jpeg", "image/png", "image/gif", "image/webp":
			b.StrField("type", "image")
			base64Source(b, image.GetMediaType(), image.GetData())
			return true
		}
	}
	e.drop(dropped.Image)
	return false
}

// file writes a document: PDF, plain text, or one that the provider fetches.
func (e *turnEncoder) file(b *writer, file *conversationv1.File) bool {
	b.StrField("type", "document")
	switch {
	case len(file.GetData()) > 0 && file.GetMediaType() == "application/pdf":
		base64Source(b, file.GetMediaType(), file.GetData())
	case len(file.GetData()) > 0 && strings.HasPrefix(file.GetMediaType(), "text/") && utf8.Valid(file.GetData()):
		source(b, "text", func() {
			b.StrField("media_type", "text/plain")
			b.StrField("data", string(file.GetData()))
		})
	case file.GetUrl() != "":
		source(b, "url", func() { b.StrField("url", file.GetUrl()) })
	case file.GetFileId() != "" && e.ours():
		source(b, "file", func() { b.StrField("file_id", file.GetFileId()) })
	default:
		e.drop(dropped.File)
		return false
	}
	if file.GetFilename() != "" {
		b.StrField("title", file.GetFilename())
	}
	return true
}

func source(b *writer, kind string, rest func()) {
	b.Key("source")
	b.Open('{')
	b.StrField("type", kind)
	rest()
	b.Close('}')
}

func base64Source(b *writer, mediaType string, data []byte) {
	source(b, "base64", func() {
		b.StrField("media_type", mediaType)
		b.StrField("data", base64.StdEncoding.EncodeToString(data))
	})
}

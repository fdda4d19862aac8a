package gemini

import (
	"encoding/base64"
	"net/url"
	"path"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// inlineData decodes a blob: a picture, sound, or any other document.
func (p *partDecoder) inlineData(m *jsonbody.Value) error {
	mediaType := ""
	var data []byte
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch camel(name) {
		case "mimeType":
			mediaType, err = m.String()
		case "data":
			var text string
			if text, err = m.String(); err == nil {
				data, err = decodeBase64(m, text)
			}
		default:
			p.inner.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(data) == 0:
		return jsonbody.Malformed(m.Path()+".data", "inline data needs data")
	case strings.HasPrefix(mediaType, "image/"):
		p.part.Kind = &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Data: data, MediaType: mediaType}}
	case audioFormats[mediaType] != "":
		p.part.Kind = &conversationv1.ContentPart_Audio{Audio: &conversationv1.Audio{Data: data, Format: audioFormats[mediaType]}}
	default:
		p.part.Kind = &conversationv1.ContentPart_File{File: &conversationv1.File{Data: data, MediaType: mediaType}}
	}
	return nil
}

// decodeBase64 takes both alphabets, with and without padding, as the API does.
func decodeBase64(m *jsonbody.Value, text string) ([]byte, error) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	data, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return nil, jsonbody.Malformed(m.Path(), "want base64")
	}
	return data, nil
}

// fileData decodes a file at an address.
func (p *partDecoder) fileData(m *jsonbody.Value) error {
	mediaType, uri := "", ""
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch camel(name) {
		case "mimeType":
			mediaType, err = m.String()
		case "fileUri":
			uri, err = m.String()
		default:
			p.inner.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case uri == "":
		return jsonbody.Malformed(m.Path()+".fileUri", "file data needs an address")
	case uploaded(uri):
		p.part.Kind = &conversationv1.ContentPart_File{File: &conversationv1.File{FileId: uri, MediaType: mediaType}}
	case strings.HasPrefix(mediaType, "image/"):
		p.part.Kind = &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Url: uri}}
		if typeOf(uri) != mediaType {
			p.inner.AddJSON("mimeType", string(quote(mediaType)))
		}
	default:
		p.part.Kind = &conversationv1.ContentPart_File{File: &conversationv1.File{Url: uri, MediaType: mediaType}}
	}
	return nil
}

// uploaded tells whether an address is that of a file that was uploaded to the
// provider, which nobody else can fetch.
func uploaded(uri string) bool {
	return strings.HasPrefix(uri, "https://generativelanguage.googleapis.com/") || strings.HasPrefix(uri, "gs://")
}

// audioFormats are the formats that the typed turn knows sound by.
var audioFormats = map[string]string{
	"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/flac": "flac", "audio/ogg": "ogg", "audio/aac": "aac",
}

// types are the media types of pictures and documents by the ends of their names.
var types = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif", ".heic": "image/heic",
	".heif": "image/heif", ".pdf": "application/pdf", ".txt": "text/plain", ".html": "text/html", ".csv": "text/csv", ".md": "text/markdown",
}

// typeOf is the media type of what lies at an address, as its name tells; empty
// where it does not.
func typeOf(uri string) string {
	if u, err := url.Parse(uri); err == nil {
		uri = u.Path
	}
	return types[strings.ToLower(path.Ext(uri))]
}

// image writes a picture as a part; false where the API takes it in no form.
func (e *turnEncoder) image(b *jsonbody.Writer, image *conversationv1.Image) bool {
	if image.GetDetail() != "" {
		e.drop(dropped.ImageDetail)
	}
	switch {
	case image.GetUrl() != "":
		e.fileURI(b, image.GetUrl(), typeOf(image.GetUrl()))
	case len(image.GetData()) > 0:
		e.blob(b, image.GetMediaType(), image.GetData())
	default:
		e.drop(dropped.Image)
		return false
	}
	return true
}

// file writes a document as a part.
func (e *turnEncoder) file(b *jsonbody.Writer, file *conversationv1.File) bool {
	mediaType := file.GetMediaType()
	switch {
	case len(file.GetData()) > 0:
		if mediaType == "" {
			mediaType = typeOf(file.GetFilename())
		}
		e.blob(b, mediaType, file.GetData())
	case file.GetUrl() != "":
		if mediaType == "" {
			mediaType = typeOf(file.GetUrl())
		}
		e.fileURI(b, file.GetUrl(), mediaType)
	case uploaded(file.GetFileId()):
		e.fileURI(b, file.GetFileId(), mediaType)
	default:
		e.drop(dropped.File)
		return false
	}
	if file.GetFilename() != "" {
		e.drop(dropped.FileName)
	}
	return true
}

func (e *turnEncoder) audio(b *jsonbody.Writer, audio *conversationv1.Audio) bool {
	if len(audio.GetData()) == 0 {
		e.drop(dropped.Audio)
		return false
	}
	e.blob(b, "audio/"+audio.GetFormat(), audio.GetData())
	return true
}

// blob writes inlineData. Without a type the API would refuse it.
func (e *turnEncoder) blob(b *jsonbody.Writer, mediaType string, data []byte) {
	if mediaType == "" {
		mediaType = "application/octet-stream"
	}
	b.Key("inlineData")
	b.Open('{')
	b.StrField("mimeType", mediaType)
	b.StrField("data", base64.StdEncoding.EncodeToString(data))
	b.Extra(e.inner("inlineData"), nil)
	b.Close('}')
}

func (e *turnEncoder) fileURI(b *jsonbody.Writer, uri, mediaType string) {
	b.Key("fileData")
	b.Open('{')
	inner, typed := e.inner("fileData"), false
	if inner != "" { // A picture's address does not always tell its type.
		_ = jsonbody.Whole([]byte(inner)).Members(func(name string, _ *jsonbody.Value) error {
			typed = typed || name == "mimeType"
			return nil
		})
	}
	if mediaType != "" && !typed {
		b.StrField("mimeType", mediaType)
	}
	b.StrField("fileUri", uri)
	b.Extra(inner, nil)
	b.Close('}')
}

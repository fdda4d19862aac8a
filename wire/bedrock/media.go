package bedrock

import (
	"encoding/base64"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// formats are the API's words for media types of documents.
var formats = map[string]string{
	"application/pdf": "pdf", "text/csv": "csv", "application/msword": "doc", "text/html": "html", "text/plain": "txt", "text/markdown": "md",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx", "application/vnd.ms-excel": "xls",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}

// mediaTypes is the reverse.
var mediaTypes = func() map[string]string {
	out := map[string]string{}
	for mediaType, format := range formats {
		out[format] = mediaType
	}
	return out
}()

var imageFormats = map[string]string{"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}

// media decodes a picture or document that is inline. Any other leaves part
// without a kind.
func media(kind string, m *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	format, name := "", ""
	var data []byte
	err := m.Members(func(member string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case member == "format":
			format, err = m.String()
		case member == "name" && kind == "document":
			name, err = m.String()
		case member == "source" && m.Kind == jsonscan.Object:
			data, err = inlineBytes(m)
		default:
			rest.Add(m)
		}
		return err
	})
	switch {
	case err != nil || len(data) == 0:
		return err
	case kind == "image":
		part.Kind = &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Data: data, MediaType: "image/" + format}}
	case mediaTypes[format] != "":
		part.Kind = &conversationv1.ContentPart_File{File: &conversationv1.File{Data: data, MediaType: mediaTypes[format], Filename: name}}
	}
	return nil
}

// inlineBytes is what a source holds inline; nothing for one elsewhere.
func inlineBytes(source *jsonbody.Value) (data []byte, err error) {
	err = source.Members(func(name string, m *jsonbody.Value) error {
		if name != "bytes" {
			return nil
		}
		text, err := m.String()
		if err != nil {
			return err
		}
		if data, err = base64.StdEncoding.DecodeString(text); err != nil {
			return jsonbody.Malformed(m.Path(), "want base64")
		}
		return nil
	})
	return data, err
}

// image writes a picture; the API fetches none but from S3.
func (e *turnEncoder) image(b *jsonbody.Writer, image *conversationv1.Image) bool {
	if image.GetDetail() != "" {
		e.drop(dropped.ImageDetail)
	}
	format := imageFormats[image.GetMediaType()]
	stored := strings.HasPrefix(image.GetUrl(), "s3://")
	if stored {
		format = imageFormats["image/"+strings.Replace(ending(image.GetUrl()), "jpg", "jpeg", 1)]
	}
	if format == "" || !stored && len(image.GetData()) == 0 {
		e.drop(dropped.Image)
		return false
	}
	b.Key("image")
	b.Open('{')
	b.StrField("format", format)
	source(b, image.GetData(), image.GetUrl())
	b.Extra(e.inner("image"), nil)
	b.Close('}')
	return true
}

// file writes a document of a kind that the API knows.
func (e *turnEncoder) file(b *jsonbody.Writer, file *conversationv1.File) bool {
	format := formats[file.GetMediaType()]
	stored := strings.HasPrefix(file.GetUrl(), "s3://")
	switch {
	case format != "":
	case strings.HasPrefix(file.GetMediaType(), "text/"):
		format = "txt"
	case file.GetFilename() != "" && mediaTypes[ending(file.GetFilename())] != "":
		format = ending(file.GetFilename())
	case stored && mediaTypes[ending(file.GetUrl())] != "":
		format = ending(file.GetUrl())
	}
	if format == "" || !stored && len(file.GetData()) == 0 {
		e.drop(dropped.File)
		return false
	}
	b.Key("document")
	b.Open('{')
	b.StrField("format", format)
	b.StrField("name", e.documentName(file.GetFilename(), format))
	source(b, file.GetData(), file.GetUrl())
	b.Extra(e.inner("document"), nil)
	b.Close('}')
	return true
}

func source(b *jsonbody.Writer, data []byte, address string) {
	b.Key("source")
	b.Open('{')
	if len(data) > 0 {
		b.StrField("bytes", base64.StdEncoding.EncodeToString(data))
	} else {
		b.Key("s3Location")
		b.Open('{')
		b.StrField("uri", address)
		b.Close('}')
	}
	b.Close('}')
}

// ending is what stands behind the last dot of a name, in lower case.
func ending(name string) string {
	return strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
}

// maxName is how long a document's name may be.
const maxName = 200

// documentName holds a name to what the API takes: letters, digits, single
// spaces, hyphens and brackets, each name once in a turn.
func (e *turnEncoder) documentName(filename, format string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-()[] ", r):
			return r
		case r == '\t' || r == '\n':
			return ' '
		}
		return '-'
	}, strings.TrimSuffix(filename, "."+format))
	name = strings.Join(strings.Fields(name), " ")
	name = name[:min(len(name), maxName-8)]
	if name == "" {
		name = "document"
	}
	if e.names == nil {
		e.names = map[string]bool{}
	}
	free := name
	for i := 2; e.names[free]; i++ {
		free = name + "-" + strconv.Itoa(i)
	}
	e.names[free] = true
	return free
}

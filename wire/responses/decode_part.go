package responses

import (
	"encoding/base64"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

func textPart(text string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: text}}
}

func opaque(kind string, e *value) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: kind, Json: e.json()}}}
}

// decodeContent reads content that is a string or an array of parts. An empty
// string is a part unless mayLack is set.
func decodeContent(content *value, mayLack bool) (parts []*conversationv1.ContentPart, err error) {
	switch content.Kind {
	case jsonscan.String:
		text, err := content.text()
		if err != nil || text == "" && mayLack {
			return nil, err
		}
		return []*conversationv1.ContentPart{textPart(text)}, nil
	case jsonscan.Array:
		err = content.elements(func(_ int, e *value) error {
			part, err := decodePart(e)
			parts = append(parts, part)
			return err
		})
		return parts, err
	}
	return nil, content.mismatch("a string or an array of parts")
}

// decodePart reads one part. A part of a type that no field holds is carried
// whole.
func decodePart(e *value) (*conversationv1.ContentPart, error) {
	kind := ""
	if err := e.members(func(name string, m *value) (err error) {
		if name == "type" {
			kind, err = m.text()
		}
		return err
	}); err != nil {
		return nil, err
	}
	part, extra := &conversationv1.ContentPart{}, rest{}
	var err error
	switch kind {
	case "input_text", "output_text", "text", "refusal":
		err = decodeText(e, kind, part, &extra)
	case "input_image":
		err = decodeImage(e, part, &extra)
	case "input_file":
		err = decodeFile(e, part, &extra)
	case "input_audio":
		err = decodeAudio(e, part, &extra)
	case "":
		return nil, malformed(e.path()+".type", "is required")
	default:
		return opaque(kind, e), nil
	}
	if err != nil {
		return nil, err
	}
	if part.Kind == nil {
		return opaque(kind, e), nil
	}
	part.ExtraJson = extra.object()
	return part, nil
}

// decodeText reads a text or refusal. Annotations and log probabilities of what
// a model said before are not part of the history; empty ones least of all.
func decodeText(e *value, kind string, part *conversationv1.ContentPart, extra *rest) error {
	key := "text"
	if kind == "refusal" {
		key = kind
	}
	var text *string
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type", name == "logprobs":
		case name == "annotations" && strings.TrimSpace(strings.Trim(m.json(), "[]")) == "", name == "annotations" && m.null():
		case name == key:
			var s string
			s, err = m.text()
			text = &s
		default:
			extra.add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case text == nil:
		return malformed(e.path()+"."+key, "is required")
	case kind == "refusal":
		part.Kind = &conversationv1.ContentPart_Refusal{Refusal: *text}
	default:
		part.Kind = &conversationv1.ContentPart_Text{Text: *text}
	}
	return nil
}

// decodeImage leaves the part empty where the picture is a file that only the
// provider has.
func decodeImage(e *value, part *conversationv1.ContentPart, extra *rest) error {
	image := &conversationv1.Image{}
	elsewhere := false
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type", m.null():
		case name == "detail":
			image.Detail, err = m.text()
		case name == "file_id":
			elsewhere = true
		case name == "image_url":
			at := m
			if m.Kind == jsonscan.Object { // as chat completions have it
				err = m.members(func(name string, inner *value) (err error) {
					switch name {
					case "url":
						at = inner
					case "detail":
						image.Detail, err = inner.textOrNull()
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			err = imageURL(at, image)
		default:
			extra.add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case image.GetUrl() != "" || len(image.GetData()) > 0:
		part.Kind = &conversationv1.ContentPart_Image{Image: image}
	case !elsewhere:
		return malformed(e.path()+".image_url", "is required")
	}
	return nil
}

func imageURL(at *value, image *conversationv1.Image) error {
	url, err := at.text()
	if err != nil {
		return err
	}
	if url == "" {
		return malformed(at.path(), "is empty")
	}
	inline, err := decodeDataURL(at, url)
	if err != nil {
		return err
	}
	if inline == nil {
		image.Url = url
		return nil
	}
	image.Data, image.MediaType = inline.data, inline.mediaType
	return nil
}

// inline is what a data: URL holds.
type inline struct {
	mediaType string
	data      []byte
}

// decodeDataURL returns nil where url is an address.
func decodeDataURL(at *value, url string) (*inline, error) {
	const scheme = "data:"
	if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
		return nil, nil
	}
	mediaType, encoded, found := strings.Cut(url[len(scheme):], ";base64,")
	if !found {
		return nil, malformed(at.path(), "want data:<media type>;base64,<data>")
	}
	data, err := decodeBase64(encoded)
	if err != nil || len(data) == 0 {
		return nil, malformed(at.path(), "the data is not base64")
	}
	return &inline{mediaType: mediaType, data: data}, nil
}

// decodeBase64 takes both alphabets, with padding or without.
func decodeBase64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// decodeFile leaves the part empty where no known member gives the document.
func decodeFile(e *value, part *conversationv1.ContentPart, extra *rest) error {
	file := &conversationv1.File{}
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type", m.null():
		case name == "file_id":
			file.FileId, err = m.text()
		case name == "file_url":
			file.Url, err = m.text()
		case name == "filename":
			file.Filename, err = m.text()
		case name == "file_data":
			encoded, err := m.text()
			if err != nil {
				return err
			}
			data, err := decodeDataURL(m, encoded)
			switch {
			case err != nil:
				return err
			case data != nil:
				file.Data, file.MediaType = data.data, data.mediaType
			default:
				if file.Data, err = decodeBase64(encoded); err != nil || len(file.Data) == 0 {
					return malformed(m.path(), "the data is not base64")
				}
			}
		default:
			extra.add(m)
		}
		return err
	})
	if err == nil && (len(file.GetData()) > 0 || file.GetUrl() != "" || file.GetFileId() != "") {
		part.Kind = &conversationv1.ContentPart_File{File: file}
	}
	return err
}

func decodeAudio(e *value, part *conversationv1.ContentPart, extra *rest) error {
	audio := &conversationv1.Audio{}
	err := e.members(func(name string, m *value) error {
		switch name {
		case "type":
			return nil
		case "input_audio":
			return m.members(func(name string, m *value) (err error) {
				switch name {
				case "data":
					encoded, err := m.text()
					if err != nil {
						return err
					}
					if audio.Data, err = decodeBase64(encoded); err != nil {
						return malformed(m.path(), "the data is not base64")
					}
				case "format":
					audio.Format, err = m.text()
				}
				return err
			})
		}
		extra.add(m)
		return nil
	})
	if err == nil && len(audio.GetData()) == 0 {
		return malformed(e.path()+".input_audio.data", "is required")
	}
	part.Kind = &conversationv1.ContentPart_Audio{Audio: audio}
	return err
}

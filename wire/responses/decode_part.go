package responses

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/inline"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

func textPart(text string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: text}}
}

func opaque(kind string, e *jsonbody.Value) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: kind, Json: e.JSON()}}}
}

// decodeContent reads content that is a string or an array of parts. An empty
// string is a part unless mayLack is set.
func decodeContent(content *jsonbody.Value, mayLack bool) (parts []*conversationv1.ContentPart, err error) {
	switch content.Kind {
	case jsonscan.String:
		text, err := content.String()
		if err != nil || text == "" && mayLack {
			return nil, err
		}
		return []*conversationv1.ContentPart{textPart(text)}, nil
	case jsonscan.Array:
		err = content.Elements(func(_ int, e *jsonbody.Value) error {
			part, err := decodePart(e)
			parts = append(parts, part)
			return err
		})
		return parts, err
	}
	return nil, content.Malformed("a string or an array of parts")
}

// decodePart reads one part. A part of a type that no field holds is carried
// whole.
func decodePart(e *jsonbody.Value) (*conversationv1.ContentPart, error) {
	kind := ""
	if err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		if name == "type" {
			kind, err = m.String()
		}
		return err
	}); err != nil {
		return nil, err
	}
	part, extra := &conversationv1.ContentPart{}, jsonbody.Extra{}
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
		return nil, jsonbody.Malformed(e.Path()+".type", "is required")
	default:
		return opaque(kind, e), nil
	}
	if err != nil {
		return nil, err
	}
	if part.Kind == nil {
		return opaque(kind, e), nil
	}
	part.ExtraJson = extra.Object()
	return part, nil
}

// decodeText reads a text or refusal. Annotations and log probabilities of what
// a model said before are not part of the history; empty ones least of all.
func decodeText(e *jsonbody.Value, kind string, part *conversationv1.ContentPart, extra *jsonbody.Extra) error {
	key := "text"
	if kind == "refusal" {
		key = kind
	}
	var text *string
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", name == "logprobs":
		case name == "annotations" && strings.TrimSpace(strings.Trim(m.JSON(), "[]")) == "", name == "annotations" && m.IsNull():
		case name == key:
			var s string
			s, err = m.String()
			text = &s
		default:
			extra.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case text == nil:
		return jsonbody.Malformed(e.Path()+"."+key, "is required")
	case kind == "refusal":
		part.Kind = &conversationv1.ContentPart_Refusal{Refusal: *text}
	default:
		part.Kind = &conversationv1.ContentPart_Text{Text: *text}
	}
	return nil
}

// decodeImage leaves the part empty where the picture is a file that only the
// provider has.
func decodeImage(e *jsonbody.Value, part *conversationv1.ContentPart, extra *jsonbody.Extra) error {
	image := &conversationv1.Image{}
	elsewhere := false
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", m.IsNull():
		case name == "detail":
			image.Detail, err = m.String()
		case name == "file_id":
			elsewhere = true
		case name == "image_url":
			at := m
			if m.Kind == jsonscan.Object { // as chat completions have it
				err = m.Members(func(name string, inner *jsonbody.Value) (err error) {
					switch name {
					case "url":
						at = inner
					case "detail":
						image.Detail, err = inner.StringOrNull()
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			err = inline.Image(at, image)
		default:
			extra.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case image.GetUrl() != "" || len(image.GetData()) > 0:
		part.Kind = &conversationv1.ContentPart_Image{Image: image}
	case !elsewhere:
		return jsonbody.Malformed(e.Path()+".image_url", "is required")
	}
	return nil
}

// decodeFile leaves the part empty where no known member gives the document.
func decodeFile(e *jsonbody.Value, part *conversationv1.ContentPart, extra *jsonbody.Extra) error {
	file := &conversationv1.File{}
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", m.IsNull():
		case name == "file_id":
			file.FileId, err = m.String()
		case name == "file_url":
			file.Url, err = m.String()
		case name == "filename":
			file.Filename, err = m.String()
		case name == "file_data":
			err = inline.File(m, file)
		default:
			extra.Add(m)
		}
		return err
	})
	if err == nil && (len(file.GetData()) > 0 || file.GetUrl() != "" || file.GetFileId() != "") {
		part.Kind = &conversationv1.ContentPart_File{File: file}
	}
	return err
}

func decodeAudio(e *jsonbody.Value, part *conversationv1.ContentPart, extra *jsonbody.Extra) error {
	audio := &conversationv1.Audio{}
	err := e.Members(func(name string, m *jsonbody.Value) error {
		switch name {
		case "type":
			return nil
		case "input_audio":
			return m.Members(func(name string, m *jsonbody.Value) (err error) {
				switch name {
				case "data":
					err = inline.Audio(m, audio)
				case "format":
					audio.Format, err = m.String()
				}
				return err
			})
		}
		extra.Add(m)
		return nil
	})
	if err == nil && len(audio.GetData()) == 0 {
		return jsonbody.Malformed(e.Path()+".input_audio.data", "is required")
	}
	part.Kind = &conversationv1.ContentPart_Audio{Audio: audio}
	return err
}

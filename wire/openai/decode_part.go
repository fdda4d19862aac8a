package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/inline"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

func textPart(text string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: text}}
}

func reasoningPart(r *conversationv1.Reasoning) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: r}}
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
	return nil, content.Malformed("a string, an array of parts or null")
}

// decodePart reads one part. A part of a type that no field holds is carried
// whole.
func decodePart(e *jsonbody.Value) (*conversationv1.ContentPart, error) {
	kind := ""
	var payload *jsonbody.Value
	var outer, inner jsonbody.Extra
	if err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		if name == "type" {
			kind, err = m.String()
		}
		return err
	}); err != nil {
		return nil, err
	}
	switch kind {
	case "text", "image_url", "input_audio", "file", "refusal":
	case "":
		return nil, jsonbody.Malformed(e.Path()+".type", "is required")
	default:
		return opaque(kind, e), nil
	}
	if err := e.Members(func(name string, m *jsonbody.Value) error {
		switch name {
		case "type":
		case kind:
			payload = m
		default:
			outer.Add(m)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if payload == nil {
		return nil, jsonbody.Malformed(e.Path()+"."+kind, "is required")
	}
	part, err := decodePayload(kind, payload, &inner)
	if err != nil {
		return nil, err
	}
	if part == nil {
		return opaque(kind, e), nil
	}
	outer.AddInner(kind, &inner)
	part.ExtraJson = outer.Object()
	return part, nil
}

func opaque(kind string, e *jsonbody.Value) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: kind, Json: e.JSON()}}}
}

// decodePayload returns no part where the payload is of a form of its own.
func decodePayload(kind string, m *jsonbody.Value, inner *jsonbody.Extra) (*conversationv1.ContentPart, error) {
	switch kind {
	case "text":
		text, err := m.String()
		return textPart(text), err
	case "refusal":
		text, err := m.String()
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Refusal{Refusal: text}}, err
	case "image_url":
		image, err := decodeImage(m, inner)
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Image{Image: image}}, err
	case "input_audio":
		audio, err := decodeAudio(m, inner)
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Audio{Audio: audio}}, err
	}
	file, err := decodeFile(m, inner)
	if err != nil || file == nil {
		return nil, err
	}
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_File{File: file}}, nil
}

func decodeImage(m *jsonbody.Value, inner *jsonbody.Extra) (*conversationv1.Image, error) {
	image := &conversationv1.Image{}
	if m.Kind == jsonscan.String { // Some clients write the address at once.
		return image, inline.Image(m, image)
	}
	err := m.Members(func(name string, member *jsonbody.Value) (err error) {
		switch {
		case name == "url":
			err = inline.Image(member, image)
		case name == "detail":
			image.Detail, err = member.StringOrNull()
		default:
			inner.Add(member)
		}
		return err
	})
	if err == nil && image.Url == "" && len(image.Data) == 0 {
		return nil, jsonbody.Malformed(m.Path()+".url", "is required")
	}
	return image, err
}

func decodeAudio(m *jsonbody.Value, inner *jsonbody.Extra) (*conversationv1.Audio, error) {
	audio := &conversationv1.Audio{}
	err := m.Members(func(name string, member *jsonbody.Value) (err error) {
		switch name {
		case "data":
			err = inline.Audio(member, audio)
		case "format":
			audio.Format, err = member.String()
		default:
			inner.Add(member)
		}
		return err
	})
	if err == nil && len(audio.Data) == 0 {
		return nil, jsonbody.Malformed(m.Path()+".data", "is required")
	}
	return audio, err
}

// decodeEarlierAudio reads the id of what an assistant said before.
func decodeEarlierAudio(m *jsonbody.Value) (*conversationv1.ContentPart, error) {
	audio := &conversationv1.Audio{}
	var inner, outer jsonbody.Extra
	err := m.Members(func(name string, member *jsonbody.Value) (err error) {
		switch name {
		case "id":
			audio.Id, err = member.String()
		case "transcript":
			audio.Transcript, err = member.StringOrNull()
		default:
			inner.Add(member)
		}
		return err
	})
	outer.AddInner("audio", &inner)
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Audio{Audio: audio}, ExtraJson: outer.Object()}, err
}

// decodeFile returns nil where no known member gives the document.
func decodeFile(m *jsonbody.Value, inner *jsonbody.Extra) (*conversationv1.File, error) {
	file := &conversationv1.File{}
	err := m.Members(func(name string, member *jsonbody.Value) (err error) {
		switch {
		case member.IsNull():
		case name == "file_id":
			file.FileId, err = member.String()
		case name == "filename":
			file.Filename, err = member.String()
		case name == "file_data":
			err = inline.File(member, file)
		default:
			inner.Add(member)
		}
		return err
	})
	if err == nil && len(file.Data) == 0 && file.Url == "" && file.FileId == "" {
		return nil, nil
	}
	return file, err
}

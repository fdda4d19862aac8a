package anthropic

import (
	"encoding/base64"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// origin is where a picture or document comes from.
type origin struct {
	kind, mediaType, url, fileID string
	data                         []byte
	plain                        bool // it has no other members
}

func decodeSource(e *jsonbody.Value) (origin, error) {
	s := origin{plain: true}
	var data *jsonbody.Value
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "type":
			s.kind, err = m.String()
		case name == "media_type":
			s.mediaType, err = m.String()
		case name == "url":
			s.url, err = m.String()
		case name == "file_id":
			s.fileID, err = m.String()
		case name == "data":
			data = m
		default:
			s.plain = false
		}
		return err
	})
	if err != nil || data == nil {
		return s, err
	}
	text, err := data.String()
	if err != nil || s.kind == "text" {
		s.data = []byte(text)
		return s, err
	}
	if s.data, err = base64.StdEncoding.DecodeString(text); err != nil {
		return s, jsonbody.Malformed(data.Path(), "want base64")
	}
	return s, nil
}

// imageBlock decodes a picture that is inline or at an address. Any other
// leaves part without a kind.
func (d *turnDecoder) imageBlock(e *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	return e.Members(func(name string, m *jsonbody.Value) error {
		switch {
		case name == "type", m.IsNull():
		case name == "source" && m.Kind == jsonscan.Object:
			s, err := decodeSource(m)
			switch {
			case err != nil:
				return err
			case !s.plain:
			case s.kind == "base64" && len(s.data) > 0:
				part.Kind = &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Data: s.data, MediaType: s.mediaType}}
			case s.kind == "url" && s.url != "":
				part.Kind = &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Url: s.url}}
			}
		default:
			rest.Add(m)
		}
		return nil
	})
}

// documentBlock decodes a document in the same way.
func (d *turnDecoder) documentBlock(e *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	file := &conversationv1.File{}
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", m.IsNull():
		case name == "title":
			file.Filename, err = m.String()
		case name == "source" && m.Kind == jsonscan.Object:
			s, err := decodeSource(m)
			switch {
			case err != nil:
				return err
			case !s.plain:
			case s.kind == "base64" && len(s.data) > 0:
				file.Data, file.MediaType = s.data, s.mediaType
			case s.kind == "text" && len(s.data) > 0 && s.mediaType == "text/plain":
				file.Data, file.MediaType = s.data, s.mediaType
			case s.kind == "url":
				file.Url = s.url
			case s.kind == "file":
				file.FileId = s.fileID
			}
		default:
			rest.Add(m)
		}
		return err
	})
	if err == nil && (len(file.Data) > 0 || file.Url != "" || file.FileId != "") {
		part.Kind = &conversationv1.ContentPart_File{File: file}
	}
	return err
}

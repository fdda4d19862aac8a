package openai

import (
	"encoding/base64"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// part writes one part of a content array. One that the dialect cannot carry is
// left out and named.
func (e *turnEncoder) part(part *conversationv1.ContentPart) error {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		e.Open('{')
		e.StrField("type", "text")
		e.StrField("text", kind.Text)
	case *conversationv1.ContentPart_Refusal:
		e.Open('{')
		e.StrField("type", "refusal")
		e.StrField("refusal", kind.Refusal)
	case *conversationv1.ContentPart_Image:
		e.image(part)
		return nil
	case *conversationv1.ContentPart_Audio:
		e.audio(kind.Audio, part)
		return nil
	case *conversationv1.ContentPart_File:
		return e.file(kind.File, part)
	case *conversationv1.ContentPart_Opaque:
		if e.client != own {
			e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
			return nil
		}
		return e.checked("messages[].parts[].opaque.json", kind.Opaque.GetJson())
	default:
		return fault.InvalidField("turn.messages[].parts[]", "is empty or of a kind that cannot stand here")
	}
	e.extra(dropped.AtPart, part.GetExtraJson())
	e.Close('}')
	return nil
}

// payload opens the part and the object that its type names; the returned
// function closes both.
func (e *turnEncoder) payload(kind string, part *conversationv1.ContentPart) (end func()) {
	e.Open('{')
	e.StrField("type", kind)
	e.Key(kind)
	e.Open('{')
	return func() {
		after, err := e.nested("messages[].content[]", dropped.AtPart, part.GetExtraJson(), kind)
		e.Close('}')
		if err == nil {
			e.extra(dropped.AtPart, after)
		}
		e.Close('}')
	}
}

func (e *turnEncoder) image(part *conversationv1.ContentPart) {
	image := part.GetImage()
	url := image.GetUrl()
	if len(image.GetData()) > 0 {
		mediaType := image.GetMediaType()
		if mediaType == "" {
			mediaType = "image/png"
		}
		url = dataURL(mediaType, image.GetData())
	}
	end := e.payload("image_url", part)
	e.StrField("url", url)
	if image.GetDetail() != "" {
		e.StrField("detail", image.GetDetail())
	}
	end()
}

func (e *turnEncoder) audio(audio *conversationv1.Audio, part *conversationv1.ContentPart) {
	end := e.payload("input_audio", part)
	e.StrField("data", base64.StdEncoding.EncodeToString(audio.GetData()))
	e.StrField("format", audio.GetFormat())
	end()
}

func (e *turnEncoder) file(file *conversationv1.File, part *conversationv1.ContentPart) error {
	if file.GetFileId() == "" && len(file.GetData()) == 0 && e.client != own {
		e.drop(dropped.FileURL)
		return nil
	}
	end := e.payload("file", part)
	switch {
	case file.GetFileId() != "":
		e.StrField("file_id", file.GetFileId())
	case len(file.GetData()) == 0:
		e.StrField("file_data", file.GetUrl())
	case file.GetMediaType() == "":
		e.StrField("file_data", base64.StdEncoding.EncodeToString(file.GetData()))
	default:
		e.StrField("file_data", dataURL(file.GetMediaType(), file.GetData()))
	}
	if file.GetFilename() != "" {
		e.StrField("filename", file.GetFilename())
	}
	end()
	return nil
}

// appendDetail appends one entry of reasoning_details.
func appendDetail(dst []byte, r *conversationv1.Reasoning, index int) []byte {
	w := writer{jsonbody.Writer{B: dst}}
	w.Open('{')
	if r.GetRedacted() != "" {
		w.StrField("type", "reasoning.encrypted")
		w.StrField("data", r.GetRedacted())
	} else {
		w.StrField("type", "reasoning.text")
		if r.GetText() != "" {
			w.StrField("text", r.GetText())
		}
		if r.GetSignature() != "" {
			w.StrField("signature", r.GetSignature())
		}
	}
	w.IntField("index", int64(index))
	w.Close('}')
	return w.B
}

package openai

import (
	"encoding/base64"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
)

// part writes one part of a content array. One that the dialect cannot carry is
// left out and named.
func (e *turnEncoder) part(part *conversationv1.ContentPart) error {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		e.open('{')
		e.strField("type", "text")
		e.strField("text", kind.Text)
	case *conversationv1.ContentPart_Refusal:
		e.open('{')
		e.strField("type", "refusal")
		e.strField("refusal", kind.Refusal)
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
	e.close('}')
	return nil
}

// payload opens the part and the object that its type names; the returned
// function closes both.
func (e *turnEncoder) payload(kind string, part *conversationv1.ContentPart) (end func()) {
	e.open('{')
	e.strField("type", kind)
	e.key(kind)
	e.open('{')
	return func() {
		after, err := e.nested("messages[].content[]", dropped.AtPart, part.GetExtraJson(), kind)
		e.close('}')
		if err == nil {
			e.extra(dropped.AtPart, after)
		}
		e.close('}')
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
	e.strField("url", url)
	if image.GetDetail() != "" {
		e.strField("detail", image.GetDetail())
	}
	end()
}

func (e *turnEncoder) audio(audio *conversationv1.Audio, part *conversationv1.ContentPart) {
	end := e.payload("input_audio", part)
	e.strField("data", base64.StdEncoding.EncodeToString(audio.GetData()))
	e.strField("format", audio.GetFormat())
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
		e.strField("file_id", file.GetFileId())
	case len(file.GetData()) == 0:
		e.strField("file_data", file.GetUrl())
	case file.GetMediaType() == "":
		e.strField("file_data", base64.StdEncoding.EncodeToString(file.GetData()))
	default:
		e.strField("file_data", dataURL(file.GetMediaType(), file.GetData()))
	}
	if file.GetFilename() != "" {
		e.strField("filename", file.GetFilename())
	}
	end()
	return nil
}

// appendDetail appends one entry of reasoning_details.
func appendDetail(dst []byte, r *conversationv1.Reasoning, index int) []byte {
	w := writer{b: dst}
	w.open('{')
	if r.GetRedacted() != "" {
		w.strField("type", "reasoning.encrypted")
		w.strField("data", r.GetRedacted())
	} else {
		w.strField("type", "reasoning.text")
		if r.GetText() != "" {
			w.strField("text", r.GetText())
		}
		if r.GetSignature() != "" {
			w.strField("signature", r.GetSignature())
		}
	}
	w.intField("index", int64(index))
	w.close('}')
	return w.b
}

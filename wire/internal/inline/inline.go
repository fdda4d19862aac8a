// Package inline reads media that stand in the bodies of OpenAI's wires themselves: base64,
// and data: URLs.
package inline

import (
	"encoding/base64"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// Image reads a picture's address, or the picture out of a data: URL.
func Image(at *jsonbody.Value, image *conversationv1.Image) error {
	url, err := at.String()
	if err != nil {
		return err
	}
	if url == "" {
		return jsonbody.Malformed(at.Path(), "is empty")
	}
	mediaType, data, err := dataURL(at, url)
	if err != nil {
		return err
	}
	if data == nil {
		image.Url = url
		return nil
	}
	image.Data, image.MediaType = data, mediaType
	return nil
}

// File reads a document: base64, a data: URL, or the address that some clients write in its
// place.
func File(at *jsonbody.Value, file *conversationv1.File) error {
	text, err := at.String()
	if err != nil {
		return err
	}
	mediaType, data, err := dataURL(at, text)
	switch {
	case err != nil:
		return err
	case data != nil:
		file.Data, file.MediaType = data, mediaType
	case strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://"):
		file.Url = text
	default:
		file.Data, err = decoded(at, text)
	}
	return err
}

// Audio reads a sound in base64. It may be empty.
func Audio(at *jsonbody.Value, audio *conversationv1.Audio) error {
	text, err := at.String()
	if err != nil {
		return err
	}
	if audio.Data, err = Base64(text); err != nil {
		return notBase64(at)
	}
	return nil
}

// Base64 takes both alphabets, with padding or without.
func Base64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// dataURL returns no data where url is an address.
func dataURL(at *jsonbody.Value, url string) (mediaType string, data []byte, err error) {
	const scheme = "data:"
	if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
		return "", nil, nil
	}
	mediaType, encoded, found := strings.Cut(url[len(scheme):], ";base64,")
	if !found {
		return "", nil, jsonbody.Malformed(at.Path(), "want data:<media type>;base64,<data>")
	}
	data, err = decoded(at, encoded)
	return mediaType, data, err
}

func decoded(at *jsonbody.Value, text string) ([]byte, error) {
	data, err := Base64(text)
	if err != nil || len(data) == 0 {
		return nil, notBase64(at)
	}
	return data, nil
}

func notBase64(at *jsonbody.Value) error {
	return jsonbody.Malformed(at.Path(), "the data is not base64")
}

package inline_test

import (
	"fmt"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/internal/inline"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// field names the member that is at fault, behind what was read.
func field(read string, err error) string {
	if err == nil {
		return read
	}
	return "field " + fault.From(err).Field()
}

func TestMedia(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, image, file, audio string }{
		{"data:image/png;base64,YWI=", "image/png ab", "image/png ab", "field m"},
		{"DATA:text/plain;charset=utf-8;base64,-_-_", "text/plain;charset=utf-8 \xfb\xff\xbf", "text/plain;charset=utf-8 \xfb\xff\xbf", "field m"},
		{"https://a/b", "at https://a/b", "at https://a/b", "field m"},
		{"YWI", "at YWI", " ab", "ab"}, // whatever is no data: URL is an address of a picture
		{"data:image/png,ab", "field m", "field m", "field m"},
		{"data:image/png;base64,?", "field m", "field m", "field m"},
		{"data:image/png;base64,", "field m", "field m", "field m"},
		{"", "field m", "field m", ""},
	} {
		body := fmt.Appendf(nil, "{\"m\":%q}", c.text)
		if err := jsonbody.Whole(body).Members(func(_ string, m *jsonbody.Value) error {
			image, file, audio := &conversationv1.Image{}, &conversationv1.File{}, &conversationv1.Audio{}
			said := func(url, mediaType string, data []byte) string {
				if url != "" {
					return "at " + url
				}
				return mediaType + " " + string(data)
			}
			err := inline.Image(m, image)
			if got := field(said(image.GetUrl(), image.GetMediaType(), image.GetData()), err); got != c.image {
				t.Errorf("%q as a picture: %q", c.text, got)
			}
			err = inline.File(m, file)
			if got := field(said(file.GetUrl(), file.GetMediaType(), file.GetData()), err); got != c.file {
				t.Errorf("%q as a document: %q", c.text, got)
			}
			err = inline.Audio(m, audio)
			if got := field(string(audio.GetData()), err); got != c.audio {
				t.Errorf("%q as a sound: %q", c.text, got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

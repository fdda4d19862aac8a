package gemini

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/wire/internal/alike"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

// FuzzDecodeAlike holds that chunks that are known by their likeness are understood as if
// each were read.
func FuzzDecodeAlike(f *testing.F) {
	chunk := func(part, candidate, usage string) string {
		return `data: {"candidates":[{"content":{"parts":[` + part + `],"role":"model"}` + candidate + `}],"usageMetadata":{` + usage + `},"responseId":"r","modelVersion":"m 1.5"}` + "\r\n\r\n"
	}
	counts := func(i int) string {
		return `"promptTokenCount":9,"candidatesTokenCount":` + strconv.Itoa(i) + `,"totalTokenCount":` + strconv.Itoa(9+i) + `,"promptTokensDetails":[{"modality":"TEXT 3\"4","tokenCount":9}]`
	}
	text := func(text string) string { return `{"text":"` + text + `"}` }
	var stream strings.Builder
	for i := range 20 {
		stream.WriteString(chunk(text(" word"+strconv.Itoa(i)), `,"index":0`, counts(i)))
	}
	end := chunk(text(""), `,"finishReason":"STOP","index":0`, counts(99))
	f.Add([]byte(stream.String()+end+stream.String()), 1)
	f.Add([]byte(strings.ReplaceAll(stream.String()+chunk(text(`a\n`), "", counts(3))+chunk(text("\xff"), "", counts(4))+stream.String()+end, "\r", "")), 700)
	f.Add([]byte(stream.String()+chunk(text("x"), `,"index":0`, `"candidatesTokenCount":07`)+stream.String()), 1000)
	f.Add([]byte(stream.String()+chunk(text("x"), `,"index":1`, counts(3))+stream.String()+chunk(text("a")+","+text("b"), `,"index":0`, counts(1))+stream.String()), 2000)
	f.Add([]byte(stream.String()+chunk(`{"text":"hm","thought":true}`, "", `"candidatesTokenCount":1.5,"thoughtsTokenCount":-3`)+stream.String()+`data: {"error":{"status":"UNAVAILABLE"}}`+"\n\n"+stream.String()), 1<<15)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 0 || len(data) > 1<<16 {
			return
		}
		wiretest.DecodeAlike(t, new(streamDecoder), &streamDecoder{run: run{lessons: alike.MaxLessons}}, wiretest.Pieces(data, size))
	})
}

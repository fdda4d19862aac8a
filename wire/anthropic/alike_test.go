package anthropic

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/wire/internal/alike"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

// FuzzDecodeAlike holds that events that are known by their likeness are understood as if
// each were read.
func FuzzDecodeAlike(f *testing.F) {
	event := func(name, data string) string {
		return "event: " + name + "\ndata: {\"type\":\"" + name + "\"," + data + "}\n\n"
	}
	text := func(block int, text string) string {
		return event("content_block_delta", `"index":`+strconv.Itoa(block)+`,"delta":{"type":"text_delta","text":"`+text+`"}`)
	}
	begin := event("message_start", `"message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}`) +
		event("content_block_start", `"index":0,"content_block":{"type":"text","text":""}`)
	end := event("content_block_stop", `"index":0`) + event("message_delta", `"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}`) + event("message_stop", `"x":1`)
	var stream strings.Builder
	for i := range 20 {
		stream.WriteString(text(0, " word"+strconv.Itoa(i)))
	}
	f.Add([]byte(begin+stream.String()+end+stream.String()), 1)
	f.Add([]byte(begin+stream.String()+text(0, `a \"b\" \n`)+text(0, "")+text(0, "\xffé")+text(0, "é")+"event: ping\ndata: {\"type\":\"ping\"}\n\n"+stream.String()+end), 1000)
	f.Add([]byte(begin+stream.String()+text(1, "another")+event("error", `"error":{"type":"overloaded_error","message":"m"}`)+stream.String()), 1<<15)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 0 || len(data) > 1<<16 {
			return
		}
		wiretest.DecodeAlike(t, new(streamDecoder), &streamDecoder{lessons: alike.MaxLessons}, wiretest.Pieces(data, size))
	})
}

package ollama

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/wire/internal/alike"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

// FuzzDecodeAlike holds that lines that are known by their likeness are understood as if
// each were read.
func FuzzDecodeAlike(f *testing.F) {
	line := func(time, text, more string) string {
		return `{"model":"m","created_at":"` + time + `","message":{"role":"assistant","content":"` + text + `"` + more + `},"done":false}` + "\n"
	}
	generate := func(time, text string) string {
		return `{"response":"` + text + `","model":"m","created_at":"` + time + `","done":false}` + "\n"
	}
	end := `{"model":"m","created_at":"2026-01-01T00:00:09Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}` + "\n"
	var stream, other strings.Builder
	for i := range 20 {
		stream.WriteString(line("2026-01-01T00:00:0"+strconv.Itoa(i)+"Z", " word"+strconv.Itoa(i), ""))
		other.WriteString(generate("2026-01-01T00:00:0"+strconv.Itoa(i)+"Z", " word"+strconv.Itoa(i)))
	}
	f.Add([]byte(stream.String()+end+stream.String()), 1)
	f.Add([]byte(other.String()+generate("t", `a\n`)+generate("t", "")+other.String()+`{"model":"m","response":"","done":true}`), 700)
	f.Add([]byte(stream.String()+line("t", `\u003cb\u003e`, "")+line(`t\n`, "x", "")+line("é", "é", "")+line("t", "\xff", "")+line("t", "x", `,"thinking":"hm"`)+stream.String()+end), 1000)
	f.Add([]byte(stream.String()+line("t", "x", `,"tool_calls":[{"function":{"name":"f","arguments":{}}}]`)+stream.String()+`{"error":"broken"}`+"\n"+stream.String()), 1<<15)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 0 || len(data) > 1<<16 {
			return
		}
		wiretest.DecodeAlike(t, &streamDecoder{lines: lines{codec: codec{}}}, &streamDecoder{lessons: alike.MaxLessons}, wiretest.PiecesBehind(data, size, "\n"))
	})
}

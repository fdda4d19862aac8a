package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// face is how clients ask, and how the end of an answer looks. The provider and the
// proxies, which translate nothing, are asked on OpenAI's wire whatever the mesh is.
type face struct {
	path  string
	whole string // in an answer that is not streamed
	last  string // in the last event of a stream
	lines bool   // whose events are lines
	named bool   // the script is a header, since the body has no member for the user
	body  func(s scenario, earlier string) []byte
}

var chat = face{path: "/v1/chat/completions", whole: `"finish_reason":"stop"`, last: "[DONE]", body: func(s scenario, earlier string) []byte {
	usage := ""
	if s.stream {
		usage = `"stream_options":{"include_usage":true},`
	}
	return fmt.Appendf(nil, `{"model":%q,"user":%q,"stream":%t,%s"messages":[%s{"role":"user","content":"%s"}]}`,
		cmp.Or(s.model, "mock"), s.script, s.stream, usage, earlier, strings.Repeat("y", s.promptBytes))
}}

// prose is a prompt whose tokens are counted, as they are for streams of this face: one
// long word is no measure for that.
const prose = "Say in a few words what the weather of the coast is like in spring, and why. "

// faces are those that -face may name.
var faces = map[string]face{
	"chat": chat,
	"messages": {path: "/v1/messages", whole: `"stop_reason":"end_turn"`, last: `"message_stop"`, body: func(s scenario, earlier string) []byte {
		return fmt.Appendf(nil, `{"model":%q,"max_tokens":1000,"metadata":{"user_id":%q},"stream":%t,"messages":[%s{"role":"user","content":"%s"}]}`,
			cmp.Or(s.model, "mock"), s.script, s.stream, earlier, strings.Repeat(prose, s.promptBytes/len(prose)+1)[:s.promptBytes])
	}},
	"ollama": {path: "/api/chat", whole: `"done":true`, last: `"done":true`, lines: true, named: true, body: func(s scenario, earlier string) []byte {
		return fmt.Appendf(nil, `{"model":%q,"stream":%t,"messages":[%s{"role":"user","content":"%s"}]}`,
			cmp.Or(s.model, "mock"), s.stream, earlier, strings.Repeat("y", s.promptBytes))
	}},
}

func faceOf(name string) (face, error) {
	f, ok := faces[name]
	if !ok {
		return face{}, fmt.Errorf("unknown face %q: want one of %s", name, strings.Join(slices.Sorted(maps.Keys(faces)), ", "))
	}
	return f, nil
}

// isWhole says whether text is an answer that has come to its end.
func (f face) isWhole(text []byte) bool {
	return bytes.Contains(text, []byte(f.whole)) && bytes.HasSuffix(bytes.TrimSpace(text), []byte("}"))
}

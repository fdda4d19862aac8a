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
	whole string                                        // in an answer that is not streamed
	last  string                                        // in the last event of a stream
	lines bool                                          // whose events are lines
	named bool                                          // the script is a header, since the body has no member for the user
	body  func(s scenario, earlier, last string) []byte // last is the last message
}

var chat = face{path: "/v1/chat/completions", whole: `"finish_reason":"stop"`, last: "[DONE]", body: func(s scenario, earlier, last string) []byte {
	usage := ""
	if s.stream {
		usage = `"stream_options":{"include_usage":true},`
	}
	return fmt.Appendf(nil, `{"model":%q,"user":%q,"stream":%t,%s%s"messages":[%s{"role":"user","content":"%s"}]}`,
		cmp.Or(s.model, "mock"), s.script, s.stream, usage, tools(s.tools), earlier, last)
}}

// tools is the member with n tools, as an agent sends them: about 1 KB each.
func tools(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"type":"function","function":{"name":"tool_%d","description":"%s","parameters":{"type":"object","properties":{`+
			`"path":{"type":"string","description":"%s"},"limit":{"type":"integer","minimum":1,"maximum":2000},`+
			`"mode":{"type":"string","enum":["read","write","append"]}},"required":["path"],"additionalProperties":false}}}`,
			i, prose(i<<10, 500), prose(i<<9, 120))
	}
	if n == 0 {
		return ""
	}
	return `"tools":[` + strings.Join(list, ",") + `],`
}

// faces are those that -face may name.
var faces = map[string]face{
	"chat": chat,
	"messages": {path: "/v1/messages", whole: `"stop_reason":"end_turn"`, last: `"message_stop"`, body: func(s scenario, earlier, last string) []byte {
		return fmt.Appendf(nil, `{"model":%q,"max_tokens":1000,"metadata":{"user_id":%q},"stream":%t,"messages":[%s{"role":"user","content":"%s"}]}`,
			cmp.Or(s.model, "mock"), s.script, s.stream, earlier, last)
	}},
	"ollama": {path: "/api/chat", whole: `"done":true`, last: `"done":true`, lines: true, named: true, body: func(s scenario, earlier, last string) []byte {
		return fmt.Appendf(nil, `{"model":%q,"stream":%t,"messages":[%s{"role":"user","content":"%s"}]}`,
			cmp.Or(s.model, "mock"), s.stream, earlier, last)
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

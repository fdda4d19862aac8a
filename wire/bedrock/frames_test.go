package bedrock_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/wire/bedrock"
)

// lines makes the lines of messages.
func lines(t testing.TB, frames []byte) (out []byte) {
	t.Helper()
	for len(frames) > 0 {
		var frame eventstream.Frame
		var err error
		if frame, frames, err = eventstream.NextFrame(frames, 1<<24); err != nil || frame.Raw == nil {
			t.Fatalf("%x: %v", frames, err)
		}
		out = bedrock.AppendLine(out, &frame)
	}
	return out
}

// Each recorded event as a line becomes a message, and that the same line again.
func TestLinesAreMessages(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/streams/*.ndjson")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(path, "error") {
			data = bytes.ReplaceAll(data, []byte(`": `), []byte(`":`)) // They were written with spaces.
			data = bytes.ReplaceAll(data, []byte(`, "`), []byte(`,"`))
		}
		frames, err := bedrock.AppendFrames(nil, data)
		if err != nil {
			t.Fatal(path, err)
		}
		if got := lines(t, frames); !bytes.Equal(got, data) {
			t.Errorf("%s\n%s\n%s", path, data, got)
		}
		again, err := bedrock.AppendFrames(nil, lines(t, frames))
		if err != nil || !bytes.Equal(again, frames) {
			t.Errorf("%s: the messages are others, %v", path, err)
		}
	}
}

// What a message says in its headers names the line.
func TestLineOfMessage(t *testing.T) {
	t.Parallel()
	h := func(pairs ...string) (headers []eventstream.FrameHeader) {
		for i := 0; i < len(pairs); i += 2 {
			headers = append(headers, eventstream.FrameHeader{Name: pairs[i], Value: pairs[i+1]})
		}
		return headers
	}
	for _, tt := range []struct {
		headers       []eventstream.FrameHeader
		payload, want string
	}{
		{h(":message-type", "event", ":event-type", "messageStop"), "{\n \"stopReason\": \"end_turn\"\n}\n", `{"messageStop":{  "stopReason": "end_turn" }}` + "\n"},
		{h(":message-type", "exception", ":exception-type", "throttlingException"), `{"message":"m"}`, `{"throttlingException":{"message":"m"}}` + "\n"},
		{h(":message-type", "error", ":error-code", "C", ":error-message", `a"b`), "", `{"error":{"code":"C","message":"a\"b"}}` + "\n"},
		{nil, "", `{"unknown":{}}` + "\n"},
	} {
		if got := string(lines(t, eventstream.AppendFrame(nil, tt.headers, []byte(tt.payload)))); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if _, err := bedrock.AppendFrames(nil, []byte("[]\n")); err == nil {
		t.Error("a line that is no event was taken")
	}
}

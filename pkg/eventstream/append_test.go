package eventstream_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"event", eventstream.AppendEvent([]byte("<"), "delta", []byte("{}")), "<event: delta\ndata: {}\n\n"},
		{"no name", eventstream.AppendEvent(nil, "", []byte("[DONE]")), "data: [DONE]\n\n"},
		{"no data", eventstream.AppendEvent(nil, "ping", nil), "event: ping\ndata: \n\n"},
		{"line ends", eventstream.AppendEvent(nil, "", []byte("a\nb\r\nc\rd\n\n")), "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \n\n"},
		{"smuggled field", eventstream.AppendEvent(nil, "a\ndata: x\r\n\n", []byte("1\n\nevent: y")), "event: a data: x   \ndata: 1\ndata: \ndata: event: y\n\n"},
		{"U+2028", eventstream.AppendEvent(nil, "", []byte("a\u2028b")), "data: a\u2028b\n\n"},
		{"leading space", eventstream.AppendEvent(nil, "", []byte(" a")), "data:  a\n\n"},
		{"id", eventstream.AppendEvent(eventstream.AppendID(nil, "7\n8"), "", []byte("x")), "id: 7 8\ndata: x\n\n"},
	}
	for _, tt := range tests {
		if string(tt.got) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

// FuzzAppendEvent holds that what is written is read again as one event with the same content.
func FuzzAppendEvent(f *testing.F) {
	f.Add("", []byte("x"))
	f.Add("delta", []byte("a\nb\r\rc\r\n\n"))
	f.Add("a\x00\r\nb", []byte("\n\ndata: x\n\n: "))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		text := eventstream.AppendEvent(nil, name, data)
		r := eventstream.NewSSEReader(bytes.NewReader(text), eventstream.Limits{})
		b, err := r.Next()
		if err != nil || len(b.Events) != 1 || !bytes.Equal(b.Raw, text) {
			t.Fatalf("%q: %d events, %v", text, len(b.Events), err)
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		if got := string(b.Events[0].Data); got != want {
			t.Fatalf("data %q, want %q", got, want)
		}
		if len(b.Events[0].Name) != len(name) {
			t.Fatalf("name %q, want %q", b.Events[0].Name, name)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatal(err)
		}
	})
}

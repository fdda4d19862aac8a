package alike

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func stream(events int) []byte {
	var b []byte
	for i := range events {
		b = append(b, fmt.Sprintf("\x90\x02\x08%c\x1a\x80data: {\"id\":\"chatcmpl-BQm2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"finish_reason\":null}]}\n\n", rune(i%100), i)...)
	}
	return b
}

func FuzzAlike(f *testing.F) {
	f.Add(stream(3))
	f.Add(chunks(f, 3))
	packed, _ := Append(nil, chunks(f, 3))
	f.Add(packed)
	f.Add(textRunOf(f, 3))
	f.Add([]byte("\x00\x00\x24\x00\x00\x02\x02\x00\x04\x0a\x05\x02\x05Hello, world"))
	f.Add([]byte("data: a\n\n\n\ndata: a\n\nrest"))
	f.Fuzz(func(t *testing.T, frames []byte) {
		_, _ = Parse(nil, frames)
		_, _ = Parse(nil, append([]byte{0, 0}, frames...))
		long := bytes.Repeat(frames, 8)
		packed, ok := Append(nil, long)
		if !ok {
			return
		}
		if got, err := Parse([]byte("before"), packed); err != nil || !bytes.Equal(got, append([]byte("before"), long...)) {
			t.Fatalf("%q: %q, %v", long, got, err)
		}
	})
}

// chunks are the frames of a stream of one event a chunk, as answerlog makes them.
func chunks(t testing.TB, n int) []byte {
	t.Helper()
	var frames []byte
	for i := range n {
		event := fmt.Sprintf("data: {\"id\":\"chatcmpl-BQm2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n",
			strings.Repeat("x", i*7%40))
		chunk, err := proto.Marshal(&conversationv1.Chunk{Sequence: int64(i + 1), Raw: &conversationv1.RawChunk{
			Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Form: conversationv1.RawForm_RAW_FORM_SSE, Data: []byte(event), EventCount: 1,
		}})
		if err != nil {
			t.Fatal(err)
		}
		frames = protowire.AppendBytes(frames, chunk)
	}
	return frames
}

// What stands between the events of a stream is not stored, whatever their lengths: but
// for the texts, five bytes an event.
func TestBeginningsAreForetold(t *testing.T) {
	t.Parallel()
	const n = 400
	frames := chunks(t, n)
	packed, ok := Append(nil, frames)
	if !ok {
		t.Fatal("not alike")
	}
	texts := 0
	for i := range n {
		texts += i * 7 % 40
	}
	if most := texts + 5*n + 400; len(packed) > most {
		t.Errorf("%d bytes of %d; want %d at most", len(packed), len(frames), most)
	}
	if got, err := Parse(nil, packed); err != nil || !bytes.Equal(got, frames) {
		t.Errorf("%q, %v; want %q", got, err, frames)
	}
}

// Logs are read that were stored before beginnings were foretold, and those that this
// release stores.
func TestStoredForms(t *testing.T) {
	t.Parallel()
	frames := chunks(t, 3)
	for form, stored := range map[string]string{
		"before": "ce030e910108011a8c01080110011a830100008301646174613a207b226964223a2263686174636d706c2d42516d32222c226f626a656374223a2263" +
			"6861742e636f6d706c6574696f6e2e6368756e6b222c2263686f69636573223a5b7b22696e646578223a302c2264656c7461223a7b22636f6e74656e" +
			"74223a22227d2c2266696e6973685f726561736f6e223a6e756c6c7d5d7d0a0a102001980108021a9301080110011a8a01671c077878787878787810" +
			"20019f0108031a9a01080110011a91016e1c0778787878787878000000022001",
		"now": "00ce030e910108011a8c01080110011a830100008301646174613a207b226964223a2263686174636d706c2d42516d32222c226f626a656374223a22" +
			"636861742e636f6d706c6574696f6e2e6368756e6b222c2263686f69636573223a5b7b22696e646578223a302c2264656c7461223a7b22636f6e7465" +
			"6e74223a22227d2c2266696e6973685f726561736f6e223a6e756c6c7d5d7d0a0a102001980108021a9301080110011a8a01671c0778787878787878" +
			"416e1c0778787878787878000000022001",
	} {
		packed, err := hex.DecodeString(stored)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(nil, packed); err != nil || !bytes.Equal(got, frames) {
			t.Errorf("%s: %v\n%q\n%q", form, err, got, frames)
		}
	}
}

package eventstream_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
)

// The messages are the positive vectors that Amazon publishes with its SDKs:
// empty, a payload alone, and one with headers.
func TestPublishedFrames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		raw     string
		headers []eventstream.FrameHeader
		payload string
	}{
		"empty_message":      {"000000100000000005c248eb7d98c8ff", nil, ""},
		"payload_no_headers": {"0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936", nil, "{'foo':'bar'}"},
		"payload_one_str_header": {"0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27626172277d8d9c08b1",
			[]eventstream.FrameHeader{{Name: "content-type", Value: "application/json"}}, "{'foo':'bar'}"},
	} {
		raw, err := hex.DecodeString(tt.raw)
		if err != nil {
			t.Fatal(err)
		}
		frame, rest, err := eventstream.NextFrame(raw, 1<<20)
		if err != nil || len(rest) > 0 || string(frame.Payload) != tt.payload || !bytes.Equal(frame.Raw, raw) {
			t.Errorf("%s: %+v, %v", name, frame, err)
		}
		for _, h := range tt.headers {
			if string(frame.Header(h.Name)) != h.Value {
				t.Errorf("%s: header %s is %q", name, h.Name, frame.Header(h.Name))
			}
		}
		if frame.Header("other") != nil {
			t.Errorf("%s: a header that is not there", name)
		}
		if got := eventstream.AppendFrame(nil, tt.headers, []byte(tt.payload)); !bytes.Equal(got, raw) {
			t.Errorf("%s: written as %x", name, got)
		}
	}
}

// handmade is a message with any headers.
func handmade(headers, payload []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(headers)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(append(out, headers...), payload...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

// Headers of every kind are passed over on the way to a string.
func TestHeaderKinds(t *testing.T) {
	t.Parallel()
	headers := []byte("\x01t\x00\x01f\x01\x01b\x02\x07\x01s\x03\x00\x07\x01i\x04\x00\x00\x00\x07\x01l\x05\x00\x00\x00\x00\x00\x00\x00\x07\x01x\x06\x00\x02ab" +
		"\x01d\x08\x00\x00\x00\x00\x00\x00\x00\x07\x01u\x090123456789abcdef\x01n\x07\x00\x03yes")
	frame, _, err := eventstream.NextFrame(handmade(headers, nil), 1<<20)
	if err != nil || string(frame.Header("n")) != "yes" || frame.Header("x") != nil {
		t.Errorf("%q, %v", frame.Header("n"), err)
	}
}

func TestCorruptFrames(t *testing.T) {
	t.Parallel()
	sound := eventstream.AppendFrame(nil, []eventstream.FrameHeader{{Name: "a", Value: "b"}}, []byte("payload"))
	flip := func(at int) []byte {
		out := bytes.Clone(sound)
		out[at] ^= 1
		return out
	}
	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"prelude":          {flip(9), eventstream.ErrCorrupt},
		"payload":          {flip(len(sound) - 6), eventstream.ErrCorrupt},
		"checksum":         {flip(len(sound) - 1), eventstream.ErrCorrupt},
		"headers too long": {handmade([]byte("\x05a"), nil), eventstream.ErrCorrupt},
		"kind":             {handmade([]byte("\x01a\x0a"), nil), eventstream.ErrCorrupt},
		"nameless":         {handmade([]byte("\x00\x00"), nil), eventstream.ErrCorrupt},
		"too large":        {eventstream.AppendFrame(nil, nil, make([]byte, 500)), eventstream.ErrTooLarge},
		"cut":              {sound[:len(sound)-1], eventstream.ErrTruncated},
		"cut in prelude":   {sound[:5], eventstream.ErrTruncated},
		"html":             {[]byte("<html>nothing here"), eventstream.ErrCorrupt},
		"end":              {nil, io.EOF},
	} {
		reader := eventstream.NewFrameReader(bytes.NewReader(append(bytes.Clone(sound), tt.data...)), eventstream.Limits{MaxEvent: 256})
		frames, err := reader.Next()
		if err != nil || len(frames) != 1 || string(frames[0].Payload) != "payload" {
			t.Errorf("%s: what stood before is %v, %v", name, frames, err)
		}
		for range 2 {
			if _, err := reader.Next(); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
	}
}

// FuzzFrames holds that what is read does not depend on how it is cut, that no
// byte is lost or made up, and that a message written is the one that was read.
func FuzzFrames(f *testing.F) {
	sound := eventstream.AppendFrame(nil, []eventstream.FrameHeader{{Name: ":event-type", Value: "messageStop"}}, []byte(`{"p":"a"}`))
	f.Add(append(bytes.Clone(sound), sound...), "n", "v")
	f.Add(handmade([]byte("\x01t\x00\x01x\x06\x00\x02ab"), []byte("x")), "", "")
	f.Add([]byte(strings.Repeat("\x00", 40)), "a", "")
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		read := func(src io.Reader) (raw []byte, count int, err error) {
			reader := eventstream.NewFrameReader(src, eventstream.Limits{MaxEvent: 1 << 16})
			for {
				frames, err := reader.Next()
				if err != nil {
					return raw, count, err
				}
				for i := range frames {
					raw = append(raw, frames[i].Raw...)
					frames[i].Header(name)
					count++
				}
			}
		}
		raw, count, err := read(bytes.NewReader(data))
		again, countAgain, errAgain := read(iotest.OneByteReader(bytes.NewReader(data)))
		if !bytes.Equal(raw, again) || count != countAgain || err != errAgain || !bytes.HasPrefix(data, raw) {
			t.Fatalf("%x %v, %x %v", raw, err, again, errAgain)
		}
		if err == io.EOF && len(raw) != len(data) {
			t.Fatalf("%d of %d bytes", len(raw), len(data))
		}
		if len(name) == 0 || len(name) > 255 || len(value) > 65535 {
			return
		}
		written := eventstream.AppendFrame(nil, []eventstream.FrameHeader{{Name: name, Value: value}}, data)
		frame, rest, err := eventstream.NextFrame(written, 1<<24)
		if err != nil || len(rest) > 0 || string(frame.Header(name)) != value || !bytes.Equal(frame.Payload, data) {
			t.Fatalf("%x: %v", written, err)
		}
	})
}

func BenchmarkFrames(b *testing.B) {
	frame := eventstream.AppendFrame(nil, []eventstream.FrameHeader{{Name: ":event-type", Value: "contentBlockDelta"}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"}},
		[]byte(`{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"abcdefghijklmnop"}`))
	b.ReportAllocs()
	for b.Loop() {
		f, _, err := eventstream.NextFrame(frame, 1<<20)
		if err != nil || f.Header(":message-type") == nil {
			b.Fatal(err)
		}
	}
}

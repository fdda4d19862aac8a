package wire_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/wire"
)

func serverEvents(data []byte) (events []eventstream.Event) {
	for len(data) > 0 {
		var e wire.ServerEvent
		e, data = wire.NextServerEvent(data)
		events = append(events, eventstream.Event{Raw: e.Raw, Name: e.Name, Data: e.Data})
	}
	return events
}

// withData keeps what events say. Where blank lines belong is a matter of taste
// in streams whose line ends are mixed.
func withData(events []eventstream.Event) (kept []eventstream.Event) {
	for _, e := range events {
		if e.Data != nil {
			kept = append(kept, eventstream.Event{Name: append([]byte{}, e.Name...), Data: e.Data})
		}
	}
	return kept
}

// FuzzNextServerEvent holds that whole events are cut as the reader of
// connections cuts them.
func FuzzNextServerEvent(f *testing.F) {
	for _, seed := range []string{
		"data: {}\n\ndata: [DONE]\n\n", ": ping\n\ndata:{}\n\n", "event: a\ndata: 1\ndata: 2\n\n", "data: a\r\n\r\ndata: b\r\n\r\n",
		"data: a\r\rdata: b\r\r", "data\n\n", "data: a\rdata: b\n\n", "\n\n\n", "data: a\n\r\ndata: b\n\n", "id: 1\nretry: 3\ndata:  x\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		reader := eventstream.NewSSEReader(iotest.DataErrReader(bytes.NewReader(data)), eventstream.Limits{})
		for {
			batch, err := reader.Next()
			if err != nil {
				if err != io.EOF && err != eventstream.ErrTruncated {
					t.Fatal(err)
				}
				return
			}
			cut := serverEvents(batch.Raw)
			var whole []byte
			for _, e := range cut {
				whole = append(whole, e.Raw...)
			}
			if !bytes.Equal(whole, batch.Raw) {
				t.Fatal("bytes were lost")
			}
			if diff := cmp.Diff(withData(batch.Events), withData(cut)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestNextServerEventTakesALastEventWithoutItsEnd(t *testing.T) {
	t.Parallel()
	got := serverEvents([]byte("data: a\n\ndata: b"))
	if len(got) != 2 || string(got[1].Data) != "b" {
		t.Fatalf("have %q", got)
	}
}

func BenchmarkNextServerEvent(b *testing.B) {
	event := []byte(`data: {"id":"chatcmpl-BQm2","object":"chat.completion.chunk","created":1746000000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_a1","choices":[{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	b.ReportAllocs()
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		if e, _ := wire.NextServerEvent(event); e.Data == nil {
			b.Fatal("nothing")
		}
	}
}

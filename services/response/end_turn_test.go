package response

import (
	"sync/atomic"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
)

// A stream's end waits for those that are being stored; an answer of one chunk does not.
func TestEndsOfStreamsAreStoredInTurn(t *testing.T) {
	t.Parallel()
	w := open(t)
	for range cap(w.ends) {
		w.ends <- struct{}{}
	}
	w.model.plays(says(raw("one\n", started()), raw(".\n", usage(1), finishedEvent())))
	var free atomic.Bool
	begun, over := make(chan struct{}), make(chan error)
	go func() {
		_, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}, func(c *conversationv1.Chunk) error {
			if c.GetSequence() == 1 {
				close(begun)
			} else if !free.Load() {
				t.Error("it did not wait")
			}
			return nil
		})
		over <- err
	}()
	<-begun
	w.model.plays(says(raw("two\n.\n", started(), usage(1), finishedEvent())))
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_2"}); err != nil {
		t.Error(err)
	}
	free.Store(true)
	<-w.ends
	if err := <-over; err != nil {
		t.Error(err)
	}
	if n := len(w.ends); n != cap(w.ends)-1 {
		t.Errorf("%d are left behind", n)
	}
}

// What comes with the end of a stream and tells nothing of it does not wait for a crowd
// of those that are being stored.
func TestTokensDoNotWaitWithTheEnd(t *testing.T) {
	t.Parallel()
	const head = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,`
	event := func(word string) string {
		return head + `"delta":{"content":"` + word + `"},"finish_reason":null}]}` + "\n\n"
	}
	const end = head + `"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	ended := func(data string, count int32) *conversationv1.Chunk {
		c := raw(data, usage(2), finishedEvent())
		c.Raw.EventCount = count
		return c
	}
	first := raw(head+`"delta":{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n", started())
	for name, test := range map[string]struct {
		chunks []*conversationv1.Chunk
		early  int // the chunk that comes though the end waits
		want   string
		counts []int32
	}{
		"raw": {
			chunks: []*conversationv1.Chunk{first, raw(event("a")), raw(event("b")), ended(event("c")+event("d")+end, 4)},
			early:  4, want: "abcd", counts: []int32{1, 1, 1, 2, 2},
		},
		"raw, nothing known yet": {
			chunks: []*conversationv1.Chunk{first, ended(event("a")+end, 3)},
			early:  1, want: "a", counts: []int32{1, 3},
		},
		"raw, nothing behind": {
			chunks: []*conversationv1.Chunk{first, raw(event("a")), raw(event("b")), ended(event("c"), 1)},
			early:  3, counts: []int32{1, 1, 1, 1}, // cut off, so that its row has no answer
		},
		"typed": {
			chunks: []*conversationv1.Chunk{typed(started(), text("a")), typed(text("b"), text("c"), stopped(), usage(2), finishedEvent())},
			early:  2, want: "abc", counts: []int32{0, 0, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			w.deps.Codec = knownCodec
			w.waiting.Add(crowd)
			for range cap(w.ends) {
				w.ends <- struct{}{}
			}
			w.model.plays(says(test.chunks...))
			early := make(chan struct{})
			var free atomic.Bool
			var got []*conversationv1.Chunk
			over := make(chan error)
			go func() {
				var err error
				got, err = w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}, func(c *conversationv1.Chunk) error {
					if c.GetSequence() == int64(test.early) {
						close(early)
					} else if c.GetSequence() > int64(test.early) && !free.Load() {
						t.Error("the end did not wait")
					}
					return nil
				})
				over <- err
			}()
			<-early
			free.Store(true)
			<-w.ends
			if err := <-over; err != nil {
				t.Fatal(err)
			}
			if len(got) != len(test.counts) {
				t.Fatal(show(got))
			}
			var sent, data string
			for i, c := range got {
				if n := c.GetRaw().GetEventCount(); n != test.counts[i] || c.GetSequence() != int64(i+1) {
					t.Errorf("chunk %d has %d events and the number %d", i+1, n, c.GetSequence())
				}
				sent += string(c.GetRaw().GetData())
			}
			for _, c := range test.chunks {
				data += string(c.GetRaw().GetData())
			}
			equal(t, sent, data)
			last := got[len(got)-1].GetEvents()
			if last[len(last)-1].GetFinished() == nil {
				t.Error(show(got))
			}
			response := w.get("resp_1")
			if test.want != "" {
				equal(t, response.GetChoices()[0].GetMessage().GetParts()[0].GetText(), test.want)
			}
			if n := response.GetLastSequence(); n != int64(len(got)) {
				t.Errorf("the last number is %d", n)
			}
			watched, err := w.watch(t.Context(), "resp_1", 0, conversationv1.Wire_WIRE_OPENAI_CHAT)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, show(watched), show(got))
		})
	}
}

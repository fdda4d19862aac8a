package response

import (
	"fmt"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"google.golang.org/protobuf/proto"
)

// TestLongRawStream: the row and the log have all of a stream's text, in whatever pieces it
// came, whether it is read while it runs or behind its end.
func TestLongRawStream(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.deps.Codec = knownCodec
	const head = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,`
	var want strings.Builder
	event := func(word, escaped string) string {
		want.WriteString(word)
		return head + `"delta":{"content":"` + escaped + `"},"finish_reason":null}]}` + "\n\n"
	}
	chunks := []*conversationv1.Chunk{raw(head+`"delta":{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n", started())}
	for i := range 120 {
		var c *conversationv1.Chunk
		switch {
		case i == 60:
			c = raw(head + `"delta":{"content":null},"finish_reason":null}]}` + "\n\n")
		case i%20 == 7:
			c = raw(event("\n\"no\" \U0001F600", `\n\"no\" \ud83d\ude00`))
		case i%20 == 9:
			c = raw(event(" some", " some") + event(" more", " more") + event(" words", " words"))
			c.Raw.EventCount = 3
		default:
			word := fmt.Sprintf(" word%d", i)
			c = raw(event(word, word))
		}
		chunks = append(chunks, c)
	}
	chunks = append(chunks, raw(head+`"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n", usage(2), finishedEvent()))
	sent := func(list []*conversationv1.Chunk) string {
		var all strings.Builder
		for i, c := range list {
			if c.GetSequence() != int64(i+1) {
				t.Errorf("chunk %d has the number %d", i, c.GetSequence())
			}
			for _, event := range c.GetEvents() {
				all.WriteString(event.GetText().GetText())
			}
		}
		return all.String()
	}
	w.model.plays(says(chunks...))
	if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"}); err != nil {
		t.Fatal(err)
	}
	parts := w.get("resp_1").GetChoices()[0].GetMessage().GetParts()
	if len(parts) != 1 {
		t.Fatalf("%d parts", len(parts))
	}
	equal(t, parts[0].GetText(), want.String())
	watched, err := w.watch(t.Context(), "resp_1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, sent(watched), want.String())
	var data, as strings.Builder
	for _, c := range chunks {
		data.Write(c.GetRaw().GetData())
	}
	if watched, err = w.watch(t.Context(), "resp_1", 0, conversationv1.Wire_WIRE_OPENAI_CHAT); err != nil {
		t.Fatal(err)
	}
	for _, c := range watched {
		as.Write(c.GetRaw().GetData())
	}
	equal(t, as.String(), data.String())
}

// TestFirstChunkIsSplit: what came with an answer's first event is a chunk of its own where
// it is of another form, and is said to be there already. Watchers get the same chunks.
func TestFirstChunkIsSplit(t *testing.T) {
	t.Parallel()
	const head = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,`
	const role = head + `"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"
	words := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, head+`"delta":{"content":" word%d"},"finish_reason":null}]}`+"\n\n", i)
		}
		return b.String()
	}
	chunk := func(data string, count int, events ...*conversationv1.Event) *conversationv1.Chunk {
		c := raw(data, events...)
		c.Raw.EventCount = int32(count)
		return c
	}
	end := func() *conversationv1.Chunk {
		return raw(head+`"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n", usage(2), finishedEvent())
	}
	for name, c := range map[string]struct {
		first *conversationv1.Chunk
		want  []*conversationv1.RawChunk // before the end
	}{
		"another first":  {chunk(role+words(30), 31, started()), []*conversationv1.RawChunk{chunk(role, 1).Raw, chunk(words(30), 30).Raw}},
		"with a comment": {chunk(": hello\n\n"+role+words(30), 31, started()), []*conversationv1.RawChunk{chunk(": hello\n\n"+role, 1).Raw, chunk(words(30), 30).Raw}},
		"all alike":      {chunk(words(30), 30, started()), []*conversationv1.RawChunk{chunk(words(1), 1).Raw, chunk(strings.TrimPrefix(words(30), words(1)), 29).Raw}},
		"short":          {chunk(role+words(3), 4, started()), []*conversationv1.RawChunk{chunk(role+words(3), 4).Raw}},
		"nothing alike":  {chunk(role+strings.Repeat(": "+words(1), 30), 31, started()), []*conversationv1.RawChunk{chunk(role+strings.Repeat(": "+words(1), 30), 31).Raw}},
		"other events":   {chunk(role+words(30), 31, started(), usage(1)), []*conversationv1.RawChunk{chunk(role+words(30), 31).Raw}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			w.deps.Codec = knownCodec
			w.model.plays(says(c.first, end()))
			got, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_1"})
			if err != nil {
				t.Fatal(err)
			}
			watched, err := w.watch(t.Context(), "resp_1", 0, conversationv1.Wire_WIRE_OPENAI_CHAT)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want)+1 || len(watched) != len(got) {
				t.Fatalf("%d chunks, %d watched; want %d", len(got), len(watched), len(c.want)+1)
			}
			for i, want := range c.want {
				if !proto.Equal(got[i].GetRaw(), want) || got[i].GetSequence() != int64(i+1) || (len(got[i].GetEvents()) > 0) != (i == 0) {
					t.Errorf("chunk %d is %v; want %v", i, got[i], want)
				}
				if more := i+1 < len(c.want); got[i].GetMore() != more {
					t.Errorf("chunk %d: more is %t", i, got[i].GetMore())
				}
			}
			for i := range got {
				got[i].More = false
				if !proto.Equal(watched[i], got[i]) {
					t.Errorf("watched %v\nsent %v", watched[i], got[i])
				}
			}
		})
	}
}

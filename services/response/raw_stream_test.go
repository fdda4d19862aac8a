package response

import (
	"fmt"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
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

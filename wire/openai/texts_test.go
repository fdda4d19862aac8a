package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/protobuf/testing/protocmp"
)

// textShapes are events around a text, and whether they hold nothing else.
var textShapes = []struct {
	before, after string
	only          bool
}{
	{`data: {"id":"1","choices":[{"index":0,"delta":{"content":"`, `"},"finish_reason":null}]}` + "\n\n", true},
	{`data: {"id":"1","choices":[{"delta":{"role":"assistant","content":"`, `"}}]}` + "\n\n", true},
	{`data: {"id":"1","choices":[{"index":0,"delta":{"content":"`, `"},"finish_reason":"stop"}]}` + "\n\n", false},
	{`data: {"id":"1","choices":[{"index":1,"delta":{"content":"`, `"}}]}` + "\n\n", false},
	{`data: {"id":"1","choices":[{"index":0,"delta":{"reasoning_content":"`, `"}}]}` + "\n\n", false},
	{`data: {"id":"1","choices":[{"index":0,"delta":{"content":"a","refusal":"`, `"}}]}` + "\n\n", false},
	{`data: {"id":"1","choices":[{"index":0,"delta":{"content":"`, `"}},{"index":1,"delta":{"content":"b"}}]}` + "\n\n", false},
	{`data: {"id":"1","usage":{"prompt_tokens":1},"choices":[{"index":0,"delta":{"content":"`, `"}}]}` + "\n\n", false},
	{`data: {"id":"`, `","choices":[{"index":0,"delta":{"content":"a"}}]}` + "\n\n", false},
	{`event: x` + "\n" + `data: {"id":"1","choices":[{"index":0,"delta":{"content":"`, `"}}]}` + "\n\n", false},
}

const (
	firstEvent = `data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"x\ud83d"}}]}` + "\n\n"
	saneEvent  = `data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n"
	lastEvents = `data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
)

// decodeTexts decodes a stream of texts in a shape, by Texts where that takes them.
func decodeTexts(first, before, after string, texts []string, known bool) (*wire.Answer, bool, error) {
	decoder := openai.Chat().NewStreamDecoder()
	run := decoder.(interface {
		Join()
		Texts(dst []*conversationv1.Event, before, after, texts []byte) ([]*conversationv1.Event, bool)
	})
	run.Join()
	events, err := decoder.Decode(nil, []byte(first))
	taken := false
	if err == nil && known {
		events, taken = run.Texts(events, []byte(before), []byte(after), []byte(strings.Join(texts, "")))
	}
	for _, text := range texts {
		if err == nil && !taken {
			events, err = decoder.Decode(events, []byte(before+text+after))
		}
	}
	if err == nil {
		events, err = decoder.Decode(events, []byte(lastEvents))
	}
	if err == nil {
		events, err = decoder.End(events)
	}
	var assembler wire.Assembler
	if err == nil {
		err = assembler.Add(events...)
	}
	return assembler.Answer(), taken, err
}

// closed says that a text ends where the quote behind it is.
func closed(text string) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return false
		case text[i] == '\\':
			i++
			if i == len(text) {
				return false
			}
		}
	}
	return text == "" || text[0]&0xc0 != 0x80
}

// FuzzTexts: an answer is the same whether its texts come one behind the other or each in
// its event.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{"", " word", `\n\"\\`, "naïve", `\u00e9`, `\ud83d`, `\ude00`, `\UD83D`, "\xe2\x82", "\n", `\q`} {
		for i := range textShapes {
			f.Add(i, text, "b", i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, shape int, one, two string, half bool) {
		if shape < 0 || shape >= len(textShapes) || !closed(one) || !closed(two) {
			return
		}
		s, first := textShapes[shape], saneEvent
		if half {
			first = firstEvent
		}
		texts := []string{one, two, one}
		want, _, err := decodeTexts(first, s.before, s.after, texts, false)
		got, _, gotErr := decodeTexts(first, s.before, s.after, texts, true)
		if (err == nil) != (gotErr == nil) {
			t.Fatalf("apart %v, together %v", err, gotErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Fatalf("another answer: %s", diff)
		}
	})
}

func TestTextsAreTaken(t *testing.T) {
	t.Parallel()
	for i, s := range textShapes {
		answer, taken, err := decodeTexts(saneEvent, s.before, s.after, []string{" a", `\"b\"`, "\\n"}, true)
		if err != nil || taken != s.only {
			t.Errorf("shape %d: taken %v, %v", i, taken, err)
		}
		if text := answer.Choices[0].Message.GetParts(); s.only && (len(text) != 1 || text[0].GetText() != " a\"b\"\n") {
			t.Errorf("shape %d: %v", i, text)
		}
	}
}

package openai_test

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/protobuf/testing/protocmp"
)

// whole decodes a stream handed over line by line and assembles the answer.
func whole(data []byte, join bool) (answer *wire.Answer, events []*conversationv1.Event, err error) {
	return lent(data, join, nil)
}

// lent is whole with room for the first text.
func lent(data []byte, join bool, room *[]byte) (answer *wire.Answer, events []*conversationv1.Event, err error) {
	decoder := openai.Chat().NewStreamDecoder()
	defer wire.Release(decoder)
	if join {
		decoder.(interface{ Join() }).Join()
		decoder.(interface{ Lend(*[]byte) }).Lend(room)
	}
	for len(data) > 0 && err == nil {
		piece := data
		if at := bytes.Index(data, []byte("\n\n")); at >= 0 {
			piece = data[:at+2]
		}
		data = data[len(piece):]
		events, err = decoder.Decode(events, piece)
	}
	if err == nil {
		events, err = decoder.End(events)
	}
	var grammar wire.Grammar
	var assembler wire.Assembler
	for _, event := range events {
		if broken := grammar.Accept(event); broken != nil {
			return nil, events, broken
		}
		if broken := assembler.Add(event); broken != nil {
			return nil, events, broken
		}
	}
	return assembler.Answer(), events, err
}

// FuzzJoin holds that an answer is the same whether its pieces were joined.
func FuzzJoin(f *testing.F) {
	seeds(f, "streams/*.sse")
	f.Add([]byte("data: {\"id\":\"1\",\"choices\":[{\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n" +
		"data: {\"choices\":[{\"delta\":{\"content\":\"c\\ud83d\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"\\ude00d\"},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"choices\":[{\"index\":1,\"delta\":{\"refusal\":\"no\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		apart, _, err := whole(data, false)
		room := []byte("what was there before")
		if answer, _, lentErr := lent(data, true, &room); (err == nil) != (lentErr == nil) {
			t.Fatalf("apart %v, in memory that was lent %v", err, lentErr)
		} else if diff := cmp.Diff(apart, answer, protocmp.Transform()); err == nil && diff != "" {
			t.Fatalf("another answer in memory that was lent: %s", diff)
		}
		joined, _, joinedErr := whole(data, true)
		if (err == nil) != (joinedErr == nil) {
			t.Fatalf("apart %v, joined %v", err, joinedErr)
		}
		if err != nil {
			isFault(t, joinedErr)
			return
		}
		if diff := cmp.Diff(apart, joined, protocmp.Transform()); diff != "" {
			t.Fatalf("another answer: %s", diff)
		}
	})
}

func BenchmarkStreamDecodeJoined(b *testing.B) {
	decoder := openai.Chat().NewStreamDecoder()
	decoder.(interface{ Join() }).Join()
	var events []*conversationv1.Event
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%200 == 0 { // an answer of 200 pieces
			decoder = openai.Chat().NewStreamDecoder()
			decoder.(interface{ Join() }).Join()
		}
		var err error
		if events, err = decoder.Decode(events[:0], []byte(contentEvent)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestFirstTextIsLent(t *testing.T) {
	t.Parallel()
	stream := func(text string) []byte {
		return []byte(`data: {"id":"1","choices":[{"index":0,"delta":{"content":"` + text + `"}}]}` + "\n\n" +
			`data: {"choices":[{"index":1,"delta":{"content":"other"}}]}` + "\n\n" +
			"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}
	texts := func(answer *wire.Answer) (all string) {
		for _, choice := range answer.Choices {
			for _, part := range choice.Message.GetParts() {
				all += part.GetText() + ";"
			}
		}
		return all
	}
	var room []byte
	first, _, err := lent(stream("first"), true, &room)
	if err != nil || texts(first) != "first;other;" || string(room) != "first" {
		t.Fatalf("%q, %v, in the room %q", texts(first), err, room)
	}
	if second, _, err := lent(stream("again"), true, &room); err != nil || texts(second) != "again;other;" {
		t.Fatalf("%q, %v", texts(second), err)
	}
	if got := texts(first); got != "again;other;" {
		t.Errorf("%q: the first text was copied, or the second one is no copy", got)
	}
}

func TestJoinedPiecesAreOne(t *testing.T) {
	t.Parallel()
	var data []byte
	for i := range 50 {
		data = append(data, `data: {"id":"1","choices":[{"index":0,"delta":{"content":"`+strconv.Itoa(i)+` "},"logprobs":null,"finish_reason":null}]}`+"\n\n"...)
	}
	data = append(data, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"...)
	_, events, err := whole(data, true)
	if err != nil {
		t.Fatal(err)
	}
	texts := 0
	for _, event := range events {
		if event.GetText() != nil {
			texts++
		}
	}
	if texts != 1 {
		t.Errorf("%d texts", texts)
	}
}

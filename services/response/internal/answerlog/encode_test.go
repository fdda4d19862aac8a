package answerlog

import (
	"bytes"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/proto"
)

func TestAppendPlain(t *testing.T) {
	t.Parallel()
	for _, chunk := range []*conversationv1.Chunk{
		{Raw: &conversationv1.RawChunk{}},
		{Sequence: 1, Raw: &conversationv1.RawChunk{Wire: 1, Form: 2, Data: []byte("data: x\n\n"), EventCount: 3}},
		{Sequence: 1 << 40, Raw: &conversationv1.RawChunk{Wire: 7, Data: make([]byte, 5000), EventCount: 300}},
		{Sequence: 2, Events: []*conversationv1.Event{{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}}, Raw: &conversationv1.RawChunk{Form: 1}},
		{Sequence: 3, Raw: &conversationv1.RawChunk{Data: []byte("data: x\n\n")}, More: true},
	} {
		want, err := proto.Marshal(chunk)
		if err != nil {
			t.Fatal(err)
		}
		m := measure(chunk)
		got, err := m.append([]byte("before"))
		if err != nil || !bytes.Equal(got[6:], want) || m.size != len(want) {
			t.Errorf("%v: %x of %d (%v), want %x", chunk, got, m.size, err, want)
		}
	}
	number := (&conversationv1.RawChunk{}).ProtoReflect().Descriptor().Fields().Len()
	if number != 4 || (&conversationv1.Chunk{}).ProtoReflect().Descriptor().Fields().Len() != 4 {
		t.Error("a field was added: measure and append must write it")
	}
}

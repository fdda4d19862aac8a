package answerlog

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// FuzzView holds that a view is what unmarshalling gives, but for the sequence.
func FuzzView(f *testing.F) {
	raw := &conversationv1.RawChunk{Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Form: conversationv1.RawForm_RAW_FORM_SSE, Data: []byte("data: {}\n\n"), EventCount: 1}
	usage := &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{InputTokens: 1}}}
	for _, chunk := range []*conversationv1.Chunk{
		{}, {Sequence: 2, Raw: raw}, {Sequence: 3, Raw: raw, Events: []*conversationv1.Event{usage}}, {Sequence: 3, Events: []*conversationv1.Event{usage}},
	} {
		entry, err := proto.Marshal(chunk)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(entry)
	}
	var view View
	f.Fuzz(func(t *testing.T, entry []byte) {
		want := new(conversationv1.Chunk)
		wantErr := proto.Unmarshal(entry, want)
		got, gotErr := view.Read(entry)
		if wantErr == nil && gotErr != nil {
			t.Fatalf("%v and %v", wantErr, gotErr)
		}
		if wantErr != nil {
			return
		}
		want.Sequence, got.Sequence = 0, 0
		if want.GetRaw() != nil {
			left := func(event *conversationv1.Event) bool { return event.GetStarted() != nil || event.GetUsage() != nil }
			want.Events, got.Events = slices.DeleteFunc(want.GetEvents(), left), slices.DeleteFunc(got.GetEvents(), left)
		}
		if len(want.GetRaw().GetData()) == 0 && want.GetRaw() != nil && got.GetRaw() != nil {
			want.Raw.Data, got.Raw.Data = nil, nil
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Fatal(diff)
		}
	})
}

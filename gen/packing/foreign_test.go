package packing_test

import (
	"bytes"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/gen/packing"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// TestMarshalAppend: messages with and without generated packers are written
// behind what is there, as the library writes them.
func TestMarshalAppend(t *testing.T) {
	t.Parallel()
	for _, m := range []proto.Message{
		&conversationv1.Usage{InputTokens: 3, OutputTokens: 400},
		&durationpb.Duration{Seconds: 5, Nanos: 7},
	} {
		want, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := packing.MarshalAppend([]byte("before"), m)
		if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Errorf("%T: %x, want %x: %v", m, got, want, err)
		}
	}
	if _, err := packing.MarshalAppend(nil, &conversationv1.Failure{Message: "\xff"}); err == nil {
		t.Error("text that is not UTF-8 was written")
	}
}

package wiretest

import (
	"bytes"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

// Pieces cuts a stream behind blank lines, into pieces of at least size bytes.
func Pieces(data []byte, size int) [][]byte { return PiecesBehind(data, size, "\n\n") }

// PiecesBehind is Pieces with other ends of events.
func PiecesBehind(data []byte, size int, end string) (list [][]byte) {
	for len(data) > 0 {
		piece := data
		if at := bytes.Index(data[min(size, len(data)):], []byte(end)); at >= 0 {
			piece = data[:min(size, len(data))+at+len(end)]
		}
		list, data = append(list, piece), data[len(piece):]
	}
	return list
}

// DecodeAlike holds that two decoders of a wire understand a stream that comes in pieces
// in the same way. The memory of a piece is changed as soon as it was decoded.
func DecodeAlike(t *testing.T, got, want wire.StreamDecoder, pieces [][]byte) {
	t.Helper()
	decode := func(d wire.StreamDecoder) (found []*conversationv1.Event, err error) {
		for _, piece := range pieces {
			own := bytes.Clone(piece)
			found, err = d.Decode(found, own)
			if clear(own); err != nil {
				return found, err
			}
		}
		return d.End(found)
	}
	found, err := decode(got)
	others, otherErr := decode(want)
	if (err == nil) != (otherErr == nil) || len(found) != len(others) {
		t.Fatalf("%d events, %v; want %d, %v", len(found), err, len(others), otherErr)
	}
	for i := range found {
		if !proto.Equal(found[i], others[i]) {
			t.Fatalf("%v\n%v", found[i], others[i])
		}
	}
}

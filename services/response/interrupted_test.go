package response

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"google.golang.org/protobuf/proto"
)

// TestInterruptedAroundABrokenEvent ends an answer whose process died: an event that
// cannot be decoded is left out, and what stands around it is kept, as in
// TestRawAnswerPassesUnchanged.
func TestInterruptedAroundABrokenEvent(t *testing.T) {
	t.Parallel()
	w := open(t)
	var entries [][]byte
	for i, chunk := range []*conversationv1.Chunk{raw("He\n", started()), raw("l\ngarbage\n"), raw("lo\n")} {
		chunk.Sequence = int64(i + 1)
		entry, err := proto.Marshal(chunk)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	unreadable := []byte{0xff}
	for name, log := range map[string][][]byte{
		"an event": entries,
		"an entry": {entries[0], unreadable, entries[1], entries[2]},
	} {
		r := &responsev1.Response{Id: "resp_1"}
		frames := w.endInterrupted(r, answerlog.Frames(nil, log...), nil)
		if len(r.GetChoices()) != 1 || r.GetChoices()[0].GetMessage().GetParts()[0].GetText() != "Hello" {
			t.Errorf("%s: %v", name, r.GetChoices())
		}
		if kept, err := answerlog.Split(frames); err != nil || len(kept) != len(log)+1 || r.GetLastSequence() != int64(len(kept)) {
			t.Errorf("%s: a watcher gets %d entries up to %d, %v", name, len(kept), r.GetLastSequence(), err)
		}
	}
}

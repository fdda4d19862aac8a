package events_test

import (
	"testing"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The first draft may say what its call would: the whole record stands under that.
func TestCorrelationOfADraft(t *testing.T) {
	t.Parallel()
	ctx := callctx.With(t.Context(), callctx.Call{RequestID: "of the call"})
	for said, want := range map[string]string{"": "of the call", "said": "said"} {
		record := events.NewRecorder("session").Record(ctx,
			events.Draft{Type: "session.ended", Key: "k", Correlation: said, Payload: &emptypb.Empty{}},
			events.Draft{Type: "session.ended", Key: "k", Payload: &emptypb.Empty{}})
		list, err := readRecord(record)
		if err != nil || len(list) != 2 {
			t.Fatal(list, err)
		}
		for _, event := range list {
			if event.GetCorrelationId() != want {
				t.Errorf("said %q: %q", said, event.GetCorrelationId())
			}
		}
		if list[0].GetCausationId() != want {
			t.Errorf("said %q: caused by %q", said, list[0].GetCausationId())
		}
	}
}

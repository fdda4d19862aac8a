package events_test

import (
	"bytes"
	"testing"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What a recorder writes by hand is what the library would write.
func TestEncode(t *testing.T) {
	t.Parallel()
	ctx := callctx.With(t.Context(), callctx.Call{RequestID: "rid", Principal: callctx.Principal{ID: "me"}})
	for name, draft := range map[string]events.Draft{
		"full": {
			Type: "gpt.attempt_settled", Owner: "you", Key: "k", Causation: "c", Time: time.Unix(1_800_000_000, 5),
			Payload: &gptv1.AttemptSettled{Attempt: &gptv1.Attempt{Id: "att_1", Model: "m", SettleTime: timestamppb.New(time.Unix(7, 0))}},
		},
		"empty payload":       {Type: "session.created", Time: time.Unix(3, 0), Payload: &sessionv1.SessionCreated{}},
		"before the epoch":    {Type: "session.created", Key: "k", Time: time.Unix(-7, 3), Payload: &sessionv1.SessionCreated{SessionId: "s"}},
		"payload of no UTF-8": {Type: "session.ended", Time: time.Unix(3, 0), Payload: &sessionv1.SessionEnded{SessionId: "\xff"}},
	} {
		record := events.NewRecorder("session").Record(ctx, draft)
		list, err := events.ReadRecord(record)
		if err != nil || len(list) != 1 {
			t.Fatal(name, list, err)
		}
		want := &events.Event{
			Id: list[0].GetId(), Type: draft.Type, Version: 1, Time: timestamppb.New(draft.Time), Owner: "me", Key: draft.Key,
			CorrelationId: "rid", CausationId: "rid", Source: "session",
		}
		if draft.Owner != "" {
			want.Owner, want.CausationId = draft.Owner, draft.Causation
		}
		want.Payload, _ = anypb.New(draft.Payload)
		if !proto.Equal(list[0], want) {
			t.Errorf("%s: %v, want %v", name, list[0], want)
		}
		if !bytes.Equal(record, events.AppendRecord(nil, want)) {
			t.Errorf("%s: the bytes differ from the library's", name)
		}
	}
}

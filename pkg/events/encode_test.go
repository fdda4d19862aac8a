package events_test

import (
	"bytes"
	"fmt"
	"strings"
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

// What a packed record holds is what the library would write.
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
		packed := events.NewRecorder("session").Record(ctx, draft)
		record, err := events.Unpack(packed)
		if err != nil {
			t.Fatal(name, err)
		}
		list, err := readRecord(record)
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

// A record of several events says each text once.
func TestPacked(t *testing.T) {
	t.Parallel()
	const request, response, session = "req_01m8kfchr6m2wfamr7ka2g4wdv", "resp_01m8kfchr6ntrd72c9ev3brqvs", "ses_01m8kfchr6ntrd72c9ev3brqvs"
	ctx := callctx.With(t.Context(), callctx.Call{RequestID: request, Principal: callctx.Principal{ID: "key:1b32c28cb38c"}})
	drafts := []events.Draft{
		{Type: "session.created", Key: session, Payload: &sessionv1.SessionCreated{SessionId: session}},
		{Type: "gpt.attempt_settled", Key: session, Causation: response, Payload: &gptv1.AttemptSettled{Attempt: &gptv1.Attempt{
			Id: "att_01m8kfchr8dvq94c20wfa2gh2e", RequestId: request, ResponseId: response, SessionId: session, Owner: "key:1b32c28cb38c", Model: "m",
		}}},
		// A text that looks like a message, and one that is none.
		{Type: "odd", Payload: &sessionv1.SessionEnded{SessionId: strings.Repeat("\n\x1e"+request, 3)}},
		{Type: "odd.one", Payload: &sessionv1.SessionEnded{SessionId: strings.Repeat("word ", 20) + request}},
		{Type: "", Payload: &sessionv1.SessionEnded{}},
	}
	for i := range 40 { // more texts than the table holds
		drafts = append(drafts, events.Draft{Type: "session.ended", Key: fmt.Sprint("key of some length ", i), Payload: &sessionv1.SessionEnded{SessionId: fmt.Sprint("id of some length ", i)}})
	}
	packed := events.NewRecorder("session").Record(ctx, drafts...)
	plain, err := events.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	// Others may stand before and behind it.
	mixed := append(append(append([]byte(nil), plain...), packed...), plain...)
	list, err := readRecord(mixed)
	if err != nil || len(list) != 3*len(drafts) {
		t.Fatal(len(list), err)
	}
	before := &events.Event{Id: request}
	for i, event := range list[:len(drafts)] {
		d := drafts[i]
		payload, err := event.GetPayload().UnmarshalNew()
		if err != nil || !proto.Equal(payload, d.Payload) {
			t.Errorf("event %d: %v, want %v: %v", i, payload, d.Payload, err)
		}
		cause := d.Causation
		if cause == "" {
			cause = before.GetId()
		}
		if event.GetType() != d.Type || event.GetKey() != d.Key || event.GetOwner() != "key:1b32c28cb38c" || event.GetCausationId() != cause {
			t.Errorf("event %d: %v", i, event)
		}
		for _, other := range []int{i + len(drafts), i + 2*len(drafts)} {
			if !proto.Equal(event, list[other]) {
				t.Errorf("event %d differs: %v", other, list[other])
			}
		}
		before = event
	}
	two := events.NewRecorder("session").Record(ctx, drafts[:2]...)
	spelled := events.NewRecorder("session").Plain().Record(ctx, drafts[:2]...)
	if len(two)*5 > len(spelled)*3 || spelled[0] == 0 {
		t.Errorf("%d bytes of %d", len(two), len(spelled))
	}
	for n := 1; n < len(packed); n++ {
		if _, err := events.Unpack(packed[:n]); err == nil {
			t.Fatalf("%d of %d bytes were taken for a record", n, len(packed))
		}
	}
}

// FuzzUnpack: any bytes make an error or a plain record, which stays as it is.
func FuzzUnpack(f *testing.F) {
	f.Add(events.NewRecorder("session").Record(f.Context(), events.Draft{Type: "session.created", Key: "k", Payload: &sessionv1.SessionCreated{SessionId: "ses_1"}}))
	f.Fuzz(func(t *testing.T, record []byte) {
		plain, err := events.Unpack(record)
		if err != nil {
			return
		}
		again, err := events.Unpack(plain)
		if err != nil || !bytes.Equal(again, plain) {
			t.Errorf("%v: %q, then %q", err, plain, again)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	const request, response = "req_01m8kfchr6m2wfamr7ka2g4wdv", "resp_01m8kfchr6ntrd72c9ev3brqvs"
	ctx := callctx.With(b.Context(), callctx.Call{RequestID: request, Principal: callctx.Principal{ID: "key:1b32c28cb38c"}})
	draft := events.Draft{Type: "gpt.attempt_settled", Key: request, Causation: response, Payload: &gptv1.AttemptSettled{Attempt: &gptv1.Attempt{
		Id: "att_01m8kfchr8dvq94c20wfa2gh2e", RequestId: request, ResponseId: response, Owner: "key:1b32c28cb38c", Model: "mock", Provider: "openai",
		ReserveTime: timestamppb.Now(), SettleTime: timestamppb.Now(), Target: "openai/mock", ProviderKey: "OPENAI_API_KEY",
	}}, Time: time.Now()}
	b.ReportAllocs()
	var record []byte
	for b.Loop() {
		record = events.NewRecorder("gpt").Record(ctx, draft)
	}
	b.ReportMetric(float64(len(record)), "bytes/record")
}

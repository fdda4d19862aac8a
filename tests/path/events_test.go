package path

import (
	"fmt"
	"slices"
	"testing"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// eventsOf reads what the request room told of a session, from the beginning.
func (w *world) eventsOf(t *testing.T, session string) ([]*eventv1.Event, error) {
	t.Helper()
	var list []*eventv1.Event
	err := eventv1.RemoteEventService(w.Conn("request")).Subscribe(limit(t), &eventv1.SubscribeRequest{
		Subjects: []string{"request.*"}, Key: session, UntilNow: true, Start: &eventv1.Start{At: &eventv1.Start_Earliest{Earliest: true}},
	}, func(m *eventv1.SubscribeResponse) error {
		if m.GetEvent() != nil {
			list = append(list, m.GetEvent())
		}
		return nil
	})
	return list, err
}

// wantEvents waits until the request room has told of n whole turns of a
// session.
func (w *world) wantEvents(t *testing.T, session string, n int) {
	t.Helper()
	var list []*eventv1.Event
	eventually(t, func() error {
		var err error
		if list, err = w.eventsOf(t, session); err == nil && len(list) < 3*n {
			err = fmt.Errorf("%d of %d events are told", len(list), 3*n)
		}
		return err
	})
	turns := map[string][]string{}
	correlations := map[string]map[string]bool{}
	for _, e := range list {
		message, err := e.GetPayload().UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		id := message.(interface{ GetRequestId() string }).GetRequestId()
		turns[id] = append(turns[id], e.GetType())
		if correlations[id] == nil {
			correlations[id] = map[string]bool{}
		}
		correlations[id][e.GetCorrelationId()] = true
	}
	if len(turns) != n {
		t.Errorf("told of %d turns, want %d", len(turns), n)
	}
	for id, types := range turns {
		if !slices.Equal(types, []string{"request.initiated", "request.routed", "request.completed"}) {
			t.Errorf("%s: told %v", id, types)
		}
		if len(correlations[id]) != 1 || correlations[id][""] {
			t.Errorf("%s: correlation ids %v", id, correlations[id])
		}
	}
}

// TestEvents: a turn is told of in order and under one correlation id, and what
// a client was told is told of though its process was killed right then.
func TestEvents(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := start(t, c)
		session := w.newSession(t)
		answer := w.ask(t, face.OpenAI{}, face.Ask{Model: openAIModel, Text: provider.Prompt(t.Name()), Session: session})
		streamed := w.ask(t, face.OpenAI{}, face.Ask{Model: openAIModel, Text: "And then? " + provider.Prompt(t.Name()), Session: session, Stream: true})
		if !answer.Complete || !streamed.Complete {
			t.Fatalf("%+v %+v", answer, streamed)
		}
		p := w.Of("request")
		p.Kill()
		p.AwaitExit(t)
		p.Begin(t)
		w.AwaitReady(t)
		w.wantEvents(t, session, 2)
		if r := w.request(t, answer.RequestID); r.GetState() != requestv1.Request_STATE_COMPLETED {
			t.Errorf("the request is %v", r.GetState())
		}
	})
}

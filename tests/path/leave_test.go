package path

import (
	"context"
	"testing"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// A client that goes away ends the provider's call: before the first token, in
// the middle of the answer, and where nothing is streamed.
func testLeave(t *testing.T, w *world) {
	for _, f := range append(face.All(), face.Anthropic{}) {
		for _, wire := range wires {
			for _, moment := range []struct {
				name   string
				stream bool
				script provider.Script
				early  bool
			}{
				{"before the first token", true, provider.Script{Steps: []provider.Step{provider.Stall()}}, true},
				{"mid-stream", true, provider.Say("one two three").Then(provider.Stall()), false},
				{"whole", false, provider.Say("one two three").Then(provider.Stall()), true},
			} {
				t.Run(f.Name()+" over "+wire.name+" "+moment.name, func(t *testing.T) {
					scene, session := t.Name(), w.newSession(t)
					w.provider.Script(scene, moment.script)
					ctx, leave := context.WithCancel(limit(t))
					defer leave()
					begun := make(chan struct{}, 16)
					over := make(chan face.Answer, 1)
					go func() {
						answer, _ := f.Ask(ctx, w.Mesh, face.Ask{
							Model: wire.model, Text: provider.Prompt(scene), Stream: moment.stream, Session: session,
							OnText: func(string) { begun <- struct{}{} },
						})
						over <- answer
					}()
					call := w.provider.Await(t, scene, 0)
					if !moment.early {
						waited(t, "the first text", begun)
					}
					left := time.Now()
					leave()
					call.MustLoseClient(t)
					// Told, not bound: the machine of a test is as busy as it is.
					t.Logf("the provider's connection was closed %v after the client left", time.Since(left).Round(10*time.Microsecond))
					if answer := <-over; answer.Complete {
						t.Errorf("a client that left was told that the answer is complete: %+v", answer)
					}
					w.wantCancelled(t, session, scene)
				})
			}
		}
	}
}

// wantCancelled waits until the one request of a session is cancelled, its row
// settled, and nothing of it in the session.
func (w *world) wantCancelled(t *testing.T, session, scene string) {
	t.Helper()
	request := w.wantState(t, session, requestv1.Request_STATE_CANCELLED)
	eventually(t, func() error {
		rows, err := w.attempts(limit(t), request.GetId())
		if err != nil {
			return err
		}
		return settledOnce(rows, gptv1.Attempt_OUTCOME_CANCELLED)
	})
	if lines, err := w.messages(limit(t), session); err != nil || len(lines) != 0 {
		t.Errorf("a cancelled turn left %q in its session, %v", lines, err)
	}
	if calls := w.provider.Calls(scene); len(calls) != 1 {
		t.Errorf("the provider was called %d times, want once", len(calls))
	}
}

// Cancelling a request does what leaving does, from another connection.
func testCancel(t *testing.T, w *world) {
	eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
		session := w.newSession(t)
		w.provider.Script(scene, provider.Say("one two three").Then(provider.Stall()))
		over := make(chan face.Answer, 1)
		failed := make(chan error, 1)
		go func() {
			answer, err := f.Ask(limit(t), w.Mesh, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, Session: session})
			over <- answer
			failed <- err
		}()
		call := w.provider.Await(t, scene, 0)
		request := w.wantState(t, session, requestv1.Request_STATE_RUNNING)
		if _, err := w.Request().CancelRequest(limit(t), &requestv1.CancelRequestRequest{RequestId: request.GetId()}); err != nil {
			t.Fatal(err)
		}
		call.MustLoseClient(t)
		answer := <-over
		if err := <-failed; err != nil || answer.Complete || answer.Error == nil {
			t.Errorf("the client was not told of the cancellation: %+v %v", answer, err)
		}
		w.wantCancelled(t, session, scene)
	})
}

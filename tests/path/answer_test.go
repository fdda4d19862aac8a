package path

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// TestPath is what a mesh does without being stopped: one mesh for each
// combination, all of its tests side by side.
func TestPath(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := start(t, c)
		for _, test := range []struct {
			name string
			run  func(*testing.T, *world)
		}{
			{"answer", testAnswer},
			{"session", testSession},
			{"wires", testWires},
			{"leave", testLeave},
			{"refused", testRefused},
			{"failed", testFailed},
			{"truncated", testTruncated},
			{"idempotency", testIdempotency},
			{"key again", testKeyAgain},
			{"detached", testDetached},
			{"cancel", testCancel},
			{"unknown model", testUnknownModel},
			{"request id", testRequestID},
			{"metrics", testMetrics},
		} {
			t.Run(test.name, func(t *testing.T) {
				test.run(t, w)
			})
		}
	})
}

const hello = "Grüß dich, 世界! 🙂 \"Zitat\" <b>&amp;</b>\n\tEnde."

// An answer comes whole over every face, and afterwards stands in its session,
// with request, answer and ledger row to match.
func testAnswer(t *testing.T, w *world) {
	eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
		w.provider.Script(scene, provider.Say(hello))
		answer := w.ask(t, f, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, Session: "new"})
		if answer.Status != http.StatusOK || !answer.Complete || answer.Text != hello {
			t.Fatalf("status %d, complete %v, text %q, error %v\n%s", answer.Status, answer.Complete, answer.Text, answer.Error, answer.Body)
		}
		if answer.RequestID == "" || answer.ResponseID == "" || answer.SessionID == "" || answer.SessionID == "new" {
			t.Fatalf("the client was not told the names: request %q, response %q, session %q", answer.RequestID, answer.ResponseID, answer.SessionID)
		}
		// What was acknowledged is committed: no waiting from here on.
		want := []string{"user: " + provider.Prompt(scene), "assistant: " + hello}
		got, err := w.messages(limit(t), answer.SessionID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("messages over gRPC (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, w.restMessages(t, answer.SessionID)); diff != "" {
			t.Errorf("messages over REST (-want +got):\n%s", diff)
		}
		request := w.request(t, answer.RequestID)
		if request.GetState() != requestv1.Request_STATE_COMPLETED || request.GetResponseId() != answer.ResponseID ||
			request.GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PROVIDER || request.GetFinishTime() == nil {
			t.Errorf("the request is not completed: %v", request)
		}
		response := w.response(t, answer.ResponseID)
		if response.GetState() != responsev1.Response_STATE_COMPLETED || len(response.GetChoices()) != 1 || textOf(response.GetChoices()[0].GetMessage()) != hello {
			t.Errorf("the answer is not whole: %v", response)
		}
		rows, err := w.attempts(limit(t), answer.RequestID)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows in the ledger, want 1: %v", len(rows), err)
		}
		if rows[0].GetState() != gptv1.Attempt_STATE_SETTLED || rows[0].GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED || rows[0].GetUsage().GetOutputTokens() == 0 {
			t.Errorf("the ledger's row is not settled: %v", rows[0])
		}
		if calls := w.provider.Calls(scene); len(calls) != 1 || calls[0].Stream != stream {
			t.Errorf("the provider had %d calls, want one that streams: %v", len(calls), stream)
		}
	})
}

// A second turn of a session is asked with the first one before it, whatever
// face either came by.
func testSession(t *testing.T, w *world) {
	for _, first := range face.All() {
		for _, second := range face.All() {
			t.Run(first.Name()+" then "+second.Name(), func(t *testing.T) {
				scene := t.Name()
				w.provider.ScriptEach(scene, func(n int) provider.Script { return provider.Say([]string{"I am one.", "I am two."}[n]) })
				one := w.ask(t, first, face.Ask{Model: openAIModel, Text: "first " + provider.Prompt(scene), Stream: true, Session: "new"})
				two := w.ask(t, second, face.Ask{Model: anthropicModel, Text: "second " + provider.Prompt(scene), Session: one.SessionID})
				if two.Text != "I am two." || two.SessionID != one.SessionID {
					t.Fatalf("%+v", two)
				}
				sent, _ := w.provider.Await(t, scene, 1).Member(t, "messages").([]any)
				if len(sent) != 3 {
					t.Errorf("the provider was sent %d messages, want the history and the new one: %s", len(sent), w.provider.Await(t, scene, 1).Body)
				}
				want := []string{"user: first " + provider.Prompt(scene), "assistant: I am one.", "user: second " + provider.Prompt(scene), "assistant: I am two."}
				got, err := w.messages(limit(t), one.SessionID)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%v messages (-want +got):\n%s", err, diff)
				}
			})
		}
	}
}

// Every face can ask every wire, and no cut of the provider's bytes harms the
// answer.
func testWires(t *testing.T, w *world) {
	for _, f := range face.All() {
		for _, wire := range wires {
			t.Run(f.Name()+" over "+wire.name, func(t *testing.T) {
				for _, split := range []int{0, 1, 7} {
					scene := t.Name() + string(rune('a'+split))
					script := provider.Say(hello)
					script.Split = split
					w.provider.Script(scene, script)
					answer := w.ask(t, f, face.Ask{Model: wire.model, Text: provider.Prompt(scene), Stream: true})
					if !answer.Complete || answer.Text != hello {
						t.Fatalf("split at %d: complete %v, text %q, error %+v\n%s", split, answer.Complete, answer.Text, answer.Error, answer.Body)
					}
				}
				scene := t.Name() + " whole"
				w.provider.Script(scene, provider.Say(hello))
				if answer := w.ask(t, f, face.Ask{Model: wire.model, Text: provider.Prompt(scene)}); !answer.Complete || answer.Text != hello {
					t.Fatalf("whole: %+v", answer)
				}
			})
		}
	}
}

package path

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// settledOnce says what is wrong with the rows of one call that was made once.
func settledOnce(rows []*gptv1.Attempt, want gptv1.Attempt_Outcome) error {
	if len(rows) != 1 {
		return fmt.Errorf("%d rows in the ledger, want 1", len(rows))
	}
	if rows[0].GetState() != gptv1.Attempt_STATE_SETTLED || rows[0].GetOutcome() != want {
		return fmt.Errorf("the row is %v %v, want settled %v", rows[0].GetState(), rows[0].GetOutcome(), want)
	}
	return nil
}

// wantFailed checks that a failed turn left its record and nothing else.
func (w *world) wantFailed(t *testing.T, session, reason string) *requestv1.Request {
	t.Helper()
	request := w.wantState(t, session, requestv1.Request_STATE_FAILED)
	if got := "ERROR_REASON_" + reason; request.GetFailure().GetReason().String() != got {
		t.Errorf("the request failed with %v, want %s", request.GetFailure(), got)
	}
	if lines, err := w.messages(limit(t), session); err != nil || len(lines) != 0 {
		t.Errorf("a failed turn left %q in its session, %v", lines, err)
	}
	return request
}

// What a provider refuses before the first token keeps its status, streamed or
// not, and every attempt has its row.
func testRefused(t *testing.T, w *world) {
	for _, refusal := range []struct {
		name   string
		step   provider.Step
		status int
		reason string
		calls  int
		row    gptv1.Attempt_Outcome
	}{
		{"bad request", provider.Refuse(400, "invalid_value"), 400, "PROVIDER_REJECTED", 1, gptv1.Attempt_OUTCOME_FAILED},
		{"context length", provider.Refuse(400, "context_length_exceeded"), 400, "CONTEXT_LENGTH_EXCEEDED", 1, gptv1.Attempt_OUTCOME_FAILED},
		{"rate limited", provider.RefuseFor(429, "rate_limit_exceeded", "37"), 429, "PROVIDER_RATE_LIMITED", 1, gptv1.Attempt_OUTCOME_FAILED},
		{"server error", provider.Refuse(500, "server_error"), 0, "PROVIDER_ERROR", 2, gptv1.Attempt_OUTCOME_FAILED},
		{"bad gateway", provider.Refuse(502, "bad_gateway"), 0, "PROVIDER_ERROR", 2, gptv1.Attempt_OUTCOME_FAILED},
		{"wrong key", provider.Refuse(401, "invalid_api_key"), 0, "PROVIDER_REFUSED_KEY", 1, gptv1.Attempt_OUTCOME_FAILED},
		{"closed unanswered", provider.Reset(), 0, "PROVIDER_UNREACHABLE", 1, gptv1.Attempt_OUTCOME_UNKNOWN},
	} {
		t.Run(refusal.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
				session := w.newSession(t)
				w.provider.Script(scene, provider.Script{Steps: []provider.Step{refusal.step}})
				answer := w.ask(t, f, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, Session: session})
				if answer.Error == nil || answer.Error.InStream || answer.Complete || answer.Text != "" {
					t.Fatalf("%+v", answer)
				}
				if answer.Status < 400 || refusal.status != 0 && answer.Status != refusal.status {
					t.Errorf("status %d, want %d: %s", answer.Status, refusal.status, answer.Body)
				}
				if refusal.status == 0 && answer.Status == http.StatusUnauthorized {
					t.Errorf("the client was told that its own key is wrong: %s", answer.Body)
				}
				if refusal.status == 429 && answer.Header != nil && answer.Header.Get("Retry-After") != "37" {
					t.Errorf("Retry-After is %q, want that of the provider", answer.Header.Get("Retry-After"))
				}
				if refusal.row == gptv1.Attempt_OUTCOME_UNKNOWN && answer.Header != nil && answer.Status != http.StatusBadGateway {
					t.Errorf("status %d would say that the provider has not begun: %s", answer.Status, answer.Body)
				}
				request := w.wantFailed(t, session, refusal.reason)
				if calls := w.provider.Calls(scene); len(calls) != refusal.calls {
					t.Errorf("the provider was called %d times, want %d", len(calls), refusal.calls)
				}
				eventually(t, func() error {
					rows, err := w.attempts(limit(t), request.GetId())
					if err != nil {
						return err
					}
					if len(rows) != refusal.calls {
						return fmt.Errorf("%d rows in the ledger, want one for each of %d calls", len(rows), refusal.calls)
					}
					for _, row := range rows {
						if row.GetState() != gptv1.Attempt_STATE_SETTLED || row.GetOutcome() != refusal.row {
							return fmt.Errorf("the row is %v %v, want settled as %v", row.GetState(), row.GetOutcome(), refusal.row)
						}
					}
					return nil
				})
			})
		})
	}
}

// What fails in the middle is told in the stream, and never looks complete; a
// client that does not stream gets a status.
func testFailed(t *testing.T, w *world) {
	w.brokenOff(t, provider.Fail("the model fell over"), "PROVIDER_ERROR")
}

// So does an answer whose end never comes.
func testTruncated(t *testing.T, w *world) {
	w.brokenOff(t, provider.Truncate(), "STREAM_TRUNCATED")
}

// closing closes c at the first text.
func closing(c chan struct{}) func(string) {
	once := sync.OnceFunc(func() { close(c) })
	return func(string) { once() }
}

func (w *world) brokenOff(t *testing.T, end provider.Step, reason string) {
	for _, wire := range wires {
		t.Run(wire.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
				session := w.newSession(t)
				seen := make(chan struct{})
				script := provider.Say("one two three").Then(end)
				if stream {
					script = provider.Say("one two three").Then(provider.Wait(seen), end)
				}
				w.provider.Script(scene, script)
				answer := w.ask(t, f, face.Ask{
					Model: wire.model, Text: provider.Prompt(scene), Stream: stream, Session: session, OnText: closing(seen),
				})
				if answer.Complete || answer.Error == nil {
					t.Fatalf("a broken answer looks whole: %+v", answer)
				}
				if stream {
					if !answer.Error.InStream || answer.Status != http.StatusOK || answer.FinishReason != "" {
						t.Errorf("%+v %+v", answer.Error, answer)
					}
					w.wantFailed(t, session, reason)
					if calls := w.provider.Calls(scene); len(calls) != 1 {
						t.Errorf("the provider was called %d times after its first token", len(calls))
					}
					return
				}
				if answer.Status < 500 {
					t.Errorf("status %d: %s", answer.Status, answer.Body)
				}
				w.wantState(t, session, requestv1.Request_STATE_FAILED)
			})
		})
	}
}

// A model that nobody has is not found, also where a stream was asked for.
func testUnknownModel(t *testing.T, w *world) {
	eachWay(t, func(t *testing.T, f face.Face, stream bool, scene string) {
		answer := w.ask(t, f, face.Ask{Model: "nobody-has-this", Text: provider.Prompt(scene), Stream: stream})
		if answer.Status != http.StatusNotFound || answer.Error == nil || answer.Error.InStream {
			t.Fatalf("%+v %+v", answer.Error, answer)
		}
		if len(w.provider.Calls(scene)) != 0 {
			t.Error("the provider was called")
		}
	})
}

// TestTimeouts shows that a provider that says nothing, or falls silent, ends
// the call with its own reason.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		config := settings()
		config["gpt"].(map[string]any)["timeouts"] = map[string]any{"first_token": "2s", "idle": "1s", "total": "6s"}
		w := startWith(t, harness.Config{Combination: c, Settings: config})
		eachWayAtOnce(t, func(t *testing.T, f face.Face, stream bool, scene string) {
			// Where nothing is streamed only the whole call has a limit.
			reason := "DEADLINE_EXCEEDED"
			if stream {
				reason = "FIRST_TOKEN_TIMEOUT"
			}
			session := w.newSession(t)
			w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.Stall()}})
			answer := w.ask(t, f, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: stream, Session: session})
			if answer.Status != http.StatusGatewayTimeout || answer.Error == nil || answer.Complete {
				t.Errorf("silent from the start: %+v %+v", answer.Error, answer)
			}
			w.wantFailed(t, session, reason)
			w.provider.Await(t, scene, 0).MustLoseClient(t)
			if !stream {
				return
			}
			for again := range 5 {
				session, scene := w.newSession(t), fmt.Sprint(scene, " idle ", again)
				w.provider.Script(scene, provider.Say("one two").Then(provider.Stall()))
				answer = w.ask(t, f, face.Ask{Model: openAIModel, Text: provider.Prompt(scene), Stream: true, Session: session})
				if again < 4 && answer.Status == http.StatusGatewayTimeout {
					continue // a busy machine: even the first token was late
				}
				if answer.Error == nil || !answer.Error.InStream || answer.Complete {
					t.Errorf("silent in the middle: %+v %+v", answer.Error, answer)
				}
				w.wantFailed(t, session, "IDLE_TIMEOUT")
				w.provider.Await(t, scene, 0).MustLoseClient(t)
				return
			}
		})
	})
}

package path

import (
	"net/http"
	"strings"
	"testing"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
)

// TestLimitsCountClients: a client's call counts once, where it comes in, whatever
// calls of rooms it takes and however many processes they are in.
func TestLimitsCountClients(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		with := settings()
		// Nobody's window ends within the test.
		with["rate_limits"] = map[string]any{"gpt": 4, "api": 2, "window": "876000h"}
		w := startWith(t, harness.Config{Combination: c, Settings: with})
		openai := face.All()[0]
		session := ""
		for n := range 4 {
			answer := w.ask(t, openai, face.Ask{Model: openAIModel, Text: "hello", Stream: n%2 == 0, Session: "new"})
			if !answer.Complete {
				t.Fatalf("turn %d of 4: %+v %+v", n+1, answer.Error, answer)
			}
			session = answer.SessionID
		}
		answer := w.ask(t, openai, face.Ask{Model: openAIModel, Text: "hello"})
		if answer.Status != http.StatusTooManyRequests {
			t.Errorf("the fifth turn: %d %+v, want 429", answer.Status, answer.Error)
		}
		for n, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
			if status := get(t, w.Mesh, "/mesh/v1/sessions/"+session); status != want {
				t.Errorf("call %d of 3 of the API: %d, want %d", n+1, status, want)
			}
		}
	})
}

// TestTurnOfADeletedSession is refused alike in all shapes, and right after the
// session ended and was deleted.
func TestTurnOfADeletedSession(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := start(t, c)
		openai := face.All()[0]
		for n := range 5 {
			first := w.ask(t, openai, face.Ask{Model: openAIModel, Text: "hello", Session: "new"})
			if !first.Complete {
				t.Fatalf("%+v %+v", first.Error, first)
			}
			refused := func(want int, reason string) {
				t.Helper()
				got := w.ask(t, openai, face.Ask{Model: openAIModel, Text: "again", Session: first.SessionID, Stream: n%2 == 0})
				if got.Status != want || got.Error == nil || !strings.EqualFold(got.Error.Code, reason) {
					t.Errorf("a turn is told %d %+v, want %d %s", got.Status, got.Error, want, reason)
				}
			}
			if _, err := w.Session().EndSession(limit(t), &sessionv1.EndSessionRequest{SessionId: first.SessionID}); err != nil {
				t.Fatal(err)
			}
			refused(http.StatusBadRequest, "SESSION_ENDED")
			if _, err := w.Session().DeleteSession(limit(t), &sessionv1.DeleteSessionRequest{SessionId: first.SessionID}); err != nil {
				t.Fatal(err)
			}
			refused(http.StatusNotFound, "SESSION_NOT_FOUND")
		}
	})
}

package path

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// TestTextsThatNoStoreKeeps asks every room for what holds U+0000, which
// PostgreSQL takes for no text: what cannot be there is not found, and a field
// that cannot be like that is named, before anything is paid for.
func TestTextsThatNoStoreKeeps(t *testing.T) {
	t.Parallel()
	for _, store := range []harness.Store{harness.SQLite, harness.PostgreSQL} {
		t.Run(string(store), func(t *testing.T) {
			t.Parallel()
			w := start(t, harness.Combination{Shape: harness.Up, Store: store})
			chat := func(members string) string {
				return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}]%s}`, openAIModel, members)
			}
			turn := func(members string) string {
				return fmt.Sprintf(`{"turn":{"model":%q,"messages":[{"role":"ROLE_USER","parts":[{"text":"hi"}]}]}%s}`, openAIModel, members)
			}
			for _, c := range []struct{ call, body, want string }{
				{"GET /mesh/v1/sessions/a%00b", "", "404 SESSION_NOT_FOUND"},
				{"GET /mesh/v1/requests/a%00b", "", "404 REQUEST_NOT_FOUND"},
				{"GET /mesh/v1/requests/a%00b:watch", "", "404 REQUEST_NOT_FOUND"},
				{"POST /mesh/v1/requests/a%00b:cancel", "{}", "404 REQUEST_NOT_FOUND"},
				{"GET /mesh/v1/responses/a%00b", "", "404 RESPONSE_NOT_FOUND"},
				{"GET /mesh/v1/responses/a%00b:watch", "", "404 RESPONSE_NOT_FOUND"},
				{"POST /mesh/v1/responses/a%00b:cancel", "{}", "404 RESPONSE_NOT_FOUND"},
				{"DELETE /mesh/v1/responses/a%00b", "", "404 RESPONSE_NOT_FOUND"},
				{"GET /v1/responses/a%00b", "", "404 <nil>"},
				{"GET /mesh/v1/classifier/trainings/a%00b", "", "404 TRAINING_NOT_FOUND"},
				{"GET /mesh/v1/sessions?user_id=a%00b", "", "400 INVALID_FIELD user_id"},
				{"GET /mesh/v1/requests?user_id=a%00b", "", "400 INVALID_FIELD user_id"},
				{"GET /mesh/v1/requests?session_id=a%00b", "", "400 INVALID_FIELD session_id"},
				{"GET /mesh/v1/responses?session_id=a%00b", "", "400 INVALID_FIELD session_id"},
				{"GET /mesh/v1/attempts?request_id=a%00b", "", "400 INVALID_FIELD request_id"},
				{"GET /mesh/v1/usage?model=a%00b", "", "400 INVALID_FIELD model"},
				{"GET /mesh/v1/classifier/versions?head=a%00b", "", "400 INVALID_FIELD head"},
				{"GET /mesh/v1/events/dead-letters?consumer=a%00b", "", "400 INVALID_FIELD consumer"},
				{"POST /mesh/v1/requests", turn(`,"user_id":"a\u0000"`), "400 INVALID_FIELD user_id"},
				{"POST /mesh/v1/requests", turn(`,"idempotency_key":"a\u0000"`), "400 INVALID_FIELD idempotency_key"},
				{"POST /mesh/v1/requests:detached", `{"submit":` + turn(`,"session_id":"a\u0000"`) + `}`, "400 INVALID_FIELD session_id"},
				{"POST /v1/chat/completions", chat(`,"user":"a\u0000"`), "400 invalid_value user"},
				{"GET /mesh/v1/sessions/%ff", "", "400 INVALID_FIELD path"},
				{"GET /v1/responses/%ff", "", "400 invalid_value path"},
			} {
				if got := w.refusal(t, c.call, c.body); got != c.want {
					t.Errorf("%s %s: got %q, want %q", c.call, c.body, got, c.want)
				}
			}
			if calls := w.provider.Calls(""); len(calls) != 0 {
				t.Errorf("the provider was called %d times", len(calls))
			}
		})
	}
}

// refusal is how a call is refused: the status, the reason and the field.
func (w *world) refusal(t *testing.T, call, body string) string {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	resp := w.call(t, method, path, body)
	defer resp.Body.Close()
	var out struct {
		Error struct {
			Reason, Code, Param any
			Metadata            map[string]string
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatalf("%s: %d, %v", call, resp.StatusCode, err)
	}
	if out.Error.Reason == nil { // of an OpenAI face
		out.Error.Reason = out.Error.Code
		if field, ok := out.Error.Param.(string); ok {
			out.Error.Metadata = map[string]string{"field": field}
		}
	}
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", out.Error.Reason, " ", out.Error.Metadata["field"]))
}

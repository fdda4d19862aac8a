package session_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
)

const (
	system    = conversationv1.Role_ROLE_SYSTEM
	assistant = conversationv1.Role_ROLE_ASSISTANT
)

// words is a text of so many tokens, its frame included.
func words(tokens int) string { return strings.Repeat("abcd", tokens-4) }

func TestContext(t *testing.T) {
	t.Parallel()
	each(t, false, func(t *testing.T, r *room) {
		r.create(t, "s",
			text("s1", system, words(10)), user("u1", words(20)), text("a1", assistant, words(20)),
			text("s2", system, words(10)), user("u2", words(20)), text("a2", assistant, words(20)))
		for _, c := range []struct {
			name    string
			budget  int64
			want    string
			tokens  int64
			omitted int64
		}{
			{"no limit", 0, "s1 s2 u1 a1 u2 a2", 100, 0},
			{"all fit", 100, "s1 s2 u1 a1 u2 a2", 100, 0},
			{"one too many", 99, "s1 s2 a1 u2 a2", 80, 1},
			{"newest kept", 59, "s1 s2 a2", 40, 3},
			{"system alone", 20, "s1 s2", 20, 4},
			{"the first system message before the second", 15, "s1", 10, 5},
			{"nothing", 1, "", 0, 6},
		} {
			resp, err := r.GetContext(as(t, "me"), &sessionv1.GetContextRequest{SessionId: "s", MaxTokens: c.budget})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range resp.GetMessages() {
				got = append(got, m.GetId())
			}
			if ids := strings.Join(got, " "); ids != c.want || resp.GetTokenEstimate() != c.tokens || resp.GetOmittedCount() != c.omitted {
				t.Errorf("%s: got %q, %d tokens, %d omitted; want %q, %d, %d", c.name,
					ids, resp.GetTokenEstimate(), resp.GetOmittedCount(), c.want, c.tokens, c.omitted)
			}
		}
		_, err := r.GetContext(as(t, "me"), &sessionv1.GetContextRequest{SessionId: "nobody"})
		refused(t, err, notFound, "")
	})
}

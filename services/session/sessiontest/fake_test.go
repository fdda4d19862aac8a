package sessiontest_test

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
)

// TestTestersSide tries what the fake has beyond the contract, to which the
// room's own tests hold it.
func TestTestersSide(t *testing.T) {
	t.Parallel()
	fake := sessiontest.New()
	sessions := sessionv1.LocalSessionService(fake, nil)
	if _, err := sessions.CreateSession(t.Context(), &sessionv1.CreateSessionRequest{SessionId: "s"}); err != nil {
		t.Fatal(err)
	}
	fake.Fail("AppendMessages", fault.StoreUnavailable("session", nil))
	req := &sessionv1.AppendMessagesRequest{SessionId: "s", Messages: []*conversationv1.Message{{
		Id: "a", Role: conversationv1.Role_ROLE_USER,
		Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "hi"}}},
	}}}
	if _, err := sessions.AppendMessages(t.Context(), req); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE) {
		t.Fatalf("got %v", err)
	}
	if got := fake.Messages("s"); len(got) != 0 {
		t.Fatalf("a failed call stored %v", got)
	}
	if _, err := sessions.AppendMessages(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got := fake.Messages("s"); len(got) != 1 || got[0].GetId() != "a" {
		t.Fatalf("got %v", got)
	}
	if got := fake.Messages("nobody"); got != nil {
		t.Fatalf("got %v", got)
	}
}

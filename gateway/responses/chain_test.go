package responses_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

func TestChain(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	first := m.ask(`{"model":"m","instructions":"I1","input":"one"}`)["id"].(string)
	second := m.ask(`{"model":"m","instructions":"I2","input":"two","previous_response_id":"` + first + `"}`)
	if got := m.said(); got != "system:I2 user:one assistant:Hello user:two" {
		t.Error(got)
	}
	if second["previous_response_id"] != first {
		t.Error(second["previous_response_id"])
	}
	if m.requests.Last().GetSessionId() != "ses_1" {
		t.Errorf("goes on in %q", m.requests.Last().GetSessionId())
	}
	// Once more from the first: the session has gone on, so this is another.
	m.ask(`{"model":"m","instructions":"I3","input":"other","previous_response_id":"` + first + `"}`)
	if got := m.said(); got != "system:I3 user:one assistant:Hello user:other" || m.requests.Last().GetSessionId() != "new" {
		t.Error(got, m.requests.Last().GetSessionId())
	}
	// Without instructions none are inherited.
	third := m.ask(`{"model":"m","input":"three","previous_response_id":"` + second["id"].(string) + `"}`)["id"].(string)
	if got := m.said(); got != "user:one assistant:Hello user:two assistant:Hello user:three" {
		t.Error(got)
	}
	_, list := m.call("GET", "/v1/responses/"+third+"/input_items?order=asc", "")
	want := []string{"user:one", "assistant:Hello", "user:two", "assistant:Hello", "user:three"}
	if diff := cmp.Diff(want, texts(list)); diff != "" {
		t.Error(diff)
	}
	// Without input of its own, and with tools.
	m.ask(`{"model":"m","input":[],"previous_response_id":"` + third + `"}`)
	if got := m.said(); !strings.HasSuffix(got, "user:three assistant:Hello") {
		t.Error(got)
	}
}

// TestChainAtOnce lets many turns go on from one response at the same time: each
// sees that response's history and nothing of the others.
func TestChainAtOnce(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	first := m.ask(`{"model":"m","input":"one"}`)["id"].(string)
	done := make(chan []byte)
	const turns = 8
	for i := range turns {
		go func() {
			_, raw := m.raw("POST", "/v1/responses", fmt.Sprintf(`{"model":"m","input":"n%d","previous_response_id":"%s"}`, i, first))
			done <- raw
		}()
	}
	for range turns {
		var got object
		if err := json.Unmarshal(<-done, &got); err != nil || got["status"] != "completed" {
			t.Errorf("%v %v", err, got)
			continue
		}
		_, list := m.call("GET", "/v1/responses/"+got["id"].(string)+"/input_items?order=asc", "")
		if said := texts(list); len(said) != 3 || said[0] != "user:one" || said[1] != "assistant:Hello" {
			t.Error(said)
		}
	}
	if got := m.sessions.Messages("ses_1"); len(got) != 4 {
		t.Errorf("the first session has %d messages", len(got))
	}
}

// TestChainSentAgain holds that a turn that is sent again under its key looks the
// same to the request room, before its answer is there and after.
func TestChainSentAgain(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	first := m.ask(`{"model":"m","input":"one"}`)["id"].(string)
	m.requests.hold = make(chan struct{})
	body := `{"model":"m","input":"two","background":true,"previous_response_id":"` + first + `"}`
	again := func() *requestv1.SubmitRequest {
		if status, got := m.call("POST", "/v1/responses", body, "Idempotency-Key", "k"); status != 200 {
			t.Fatal(status, got)
		}
		return m.requests.Last()
	}
	sent := again()
	if before := again(); !proto.Equal(sent, before) || sent.GetSessionId() != "ses_1" {
		t.Errorf("%v and not %v", before, sent)
	}
	m.requests.keep(t.Context(), m.requests.get("req_2"), []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER,
		Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "two"}}}}},
		&wire.Answer{Choices: []wire.Choice{{Message: &conversationv1.Message{Role: conversationv1.Role_ROLE_ASSISTANT,
			Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "Hello"}}}}}}})
	if after := again(); !proto.Equal(sent, after) {
		t.Errorf("%v and not %v", after, sent)
	}
	for id := range m.requests.rows {
		m.requests.finish(id, requestv1.Request_STATE_CANCELLED, nil)
	}
	close(m.requests.hold)
}

func TestChainWithTools(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.answers.Play(thinks)
	first := m.ask(`{"model":"m","input":"look"}`)
	m.answers.Play(responsetest.Says("Fine."))
	m.ask(`{"model":"m","previous_response_id":"` + first["id"].(string) + `","input":[{"type":"function_call_output","call_id":"call_1","output":"x"},{"type":"function_call_output","call_id":"call_2","output":"y"}]}`)
	if got := m.said(); got != "user:look assistant:Hello there.looklook tool:call_1 tool:call_2" {
		t.Error(got)
	}
	// The AI SDK refers to items instead of sending them.
	var references []string
	for _, item := range first["output"].([]any) {
		references = append(references, `{"type":"item_reference","id":"`+item.(object)["id"].(string)+`"}`)
	}
	m.ask(`{"model":"m","input":[{"role":"user","content":"look"},` + strings.Join(references, ", ") + `,{"type":"function_call_output","call_id":"call_1","output":"x"}]}`)
	turn := string(m.requests.Last().GetTurn().GetRaw().GetBody())
	if strings.Contains(turn, "item_reference") || !strings.Contains(turn, `"call_id":"call_2"`) || !strings.Contains(turn, "Hello there.") || !json.Valid([]byte(turn)) {
		t.Error(turn)
	}
	status, got := m.call("POST", "/v1/responses", `{"model":"m","input":[{"id":"msg_0_0"}]}`)
	wantError(t, status, got, 404, nil)
}

func TestConversation(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	status, made := m.call("POST", "/v1/conversations", `{"metadata":{"topic":"x"},"items":[{"role":"user","content":"zero"}]}`)
	id := made["id"].(string)
	if status != 200 || !strings.HasPrefix(id, "conv_") || made["object"] != "conversation" || !cmp.Equal(made["metadata"], object{"topic": "x"}) {
		t.Fatalf("%d %v", status, made)
	}
	if _, got := m.call("GET", "/conversations/"+id, ""); !cmp.Equal(got, made) {
		t.Error(got)
	}
	got := m.ask(`{"model":"m","instructions":"I1","input":"one","conversation":"` + id + `"}`)
	if said := m.said(); said != "system:I1 user:zero user:one" || !cmp.Equal(got["conversation"], object{"id": id}) {
		t.Error(said, got["conversation"])
	}
	m.ask(`{"model":"m","instructions":"I2","input":"two","conversation":{"id":"` + id + `"}}`)
	if said := m.said(); said != "system:I2 user:zero user:one assistant:Hello user:two" {
		t.Error(said)
	}
	// What a turn without instructions inherits, it says.
	if got = m.ask(`{"model":"m","input":"three","conversation":"` + id + `"}`); got["instructions"] != "I1" || !strings.HasPrefix(m.said(), "system:I1 user:zero") {
		t.Error(got["instructions"], m.said())
	}
	status, added := m.call("POST", "/v1/conversations/"+id+"/items", `{"items":[{"type":"message","role":"user","content":[{"type":"input_text","text":"four"}]},{"type":"function_call","call_id":"c","name":"look","arguments":"{}"}]}`)
	if diff := cmp.Diff([]string{"user:four", "function_call"}, texts(added)); status != 200 || diff != "" {
		t.Error(status, diff)
	}
	_, list := m.call("GET", "/v1/conversations/"+id+"/items?order=asc&limit=100", "")
	want := []string{"user:zero", "user:one", "assistant:Hello", "user:two", "assistant:Hello", "user:three", "assistant:Hello", "user:four", "function_call"}
	if diff := cmp.Diff(want, texts(list)); diff != "" {
		t.Error(diff)
	}
	// Every page once, from the newest to the oldest.
	var paged []any
	after := ""
	for more := true; more; {
		_, page := m.call("GET", "/v1/conversations/"+id+"/items?limit=2"+after, "")
		paged = append(paged, page["data"].([]any)...)
		more = page["has_more"].(bool)
		after = "&after=" + page["last_id"].(string)
	}
	all := list["data"].([]any)
	for i, item := range all {
		if !cmp.Equal(item, paged[len(all)-1-i]) {
			t.Errorf("item %d: %v, paged %v", i, item, paged[len(all)-1-i])
		}
		itemID := item.(object)["id"].(string)
		if _, got := m.call("GET", "/v1/conversations/"+id+"/items/"+itemID, ""); !cmp.Equal(got, item) {
			t.Errorf("%v and not %v", got, item)
		}
		status, got := m.call("DELETE", "/v1/conversations/"+id+"/items/"+itemID, "")
		wantError(t, status, got, 400, "unsupported_parameter")
	}
	if _, got := m.call("POST", "/v1/conversations/"+id, `{"metadata":{"a":"b"}}`); !cmp.Equal(got["metadata"], object{"a": "b"}) {
		t.Error(got)
	}
	if _, got := m.call("DELETE", "/v1/conversations/"+id, ""); !cmp.Equal(got, object{"id": id, "object": "conversation.deleted", "deleted": true}) {
		t.Error(got)
	}
	status, got = m.call("GET", "/v1/conversations/"+id, "")
	wantError(t, status, got, 404, nil)
}

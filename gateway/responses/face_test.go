package responses_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/responses"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// object is a JSON object.
type object = map[string]any

// call sends one request and decodes the JSON that comes.
func (m *mesh) call(method, path, body string, headers ...string) (int, object) {
	m.t.Helper()
	status, raw := m.raw(method, path, body, headers...)
	var out object
	if err := json.Unmarshal(raw, &out); err != nil {
		m.t.Fatalf("%s %s: %v: %s", method, path, err, raw)
	}
	return status, out
}

func (m *mesh) raw(method, path, body string, headers ...string) (int, []byte) {
	m.t.Helper()
	r, err := http.NewRequest(method, m.url+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := m.client.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return resp.StatusCode, raw
}

// ask makes a response that must succeed.
func (m *mesh) ask(body string) object {
	m.t.Helper()
	status, out := m.call("POST", "/v1/responses", body)
	if status != 200 {
		m.t.Fatalf("%d: %v", status, out)
	}
	return out
}

// said are the texts of the last turn's messages, with their roles.
func (m *mesh) said() string {
	var out []string
	for _, msg := range m.answers.Calls()[len(m.answers.Calls())-1].GetTurn().GetMessages() {
		text := ""
		for _, part := range msg.GetParts() {
			text += part.GetText() + part.GetToolCall().GetName() + part.GetToolResult().GetToolCallId()
		}
		out = append(out, strings.ToLower(strings.TrimPrefix(msg.GetRole().String(), "ROLE_"))+":"+text)
	}
	return strings.Join(out, " ")
}

func texts(list object) (out []string) {
	for _, data := range list["data"].([]any) {
		item := data.(object)
		switch content := item["content"].(type) {
		case []any:
			for _, part := range content {
				out = append(out, item["role"].(string)+":"+part.(object)["text"].(string))
			}
		default:
			out = append(out, item["type"].(string))
		}
	}
	return out
}

func wantError(t *testing.T, status int, got object, want int, code any) {
	t.Helper()
	e, ok := got["error"].(object)
	if status != want || !ok || e["code"] != code || e["type"] == "" || e["message"] == "" {
		t.Errorf("%d %v, want %d %v", status, got, want, code)
	}
}

// events are the events of a stream, checked for their form.
func events(t *testing.T, stream []byte) (out []string) {
	t.Helper()
	for piece := range strings.SplitSeq(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		if piece == "" {
			continue
		}
		event := piece
		if strings.HasPrefix(piece, "id: ") {
			_, event, _ = strings.Cut(piece, "\n")
		}
		name, data, found := strings.Cut(event, "\ndata: ")
		var head struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal([]byte(data), &head); err != nil || !found || name != "event: "+head.Type {
			t.Fatalf("%v: %q", err, piece)
		}
		out = append(out, piece)
	}
	return out
}

func sequence(t *testing.T, event string) int {
	t.Helper()
	_, data, _ := strings.Cut(event, "\ndata: ")
	var head struct {
		N *int `json:"sequence_number"`
	}
	if err := json.Unmarshal([]byte(data), &head); err != nil || head.N == nil {
		t.Fatalf("%v: %s", err, event)
	}
	return *head.N
}

func thinks(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
	for _, e := range []*conversationv1.Event{
		gatewaytest.Started("m-1"), gatewaytest.Reasoning("Hm"), gatewaytest.Reasoning("m."), gatewaytest.Text("Hello "), gatewaytest.Text("there."),
		gatewaytest.Call(0, "call_1", "look", `{"a":1}`), gatewaytest.Call(1, "call_2", "look", `{"a":2}`),
		gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), gatewaytest.Usage(7, 5),
	} {
		if err := send(e); err != nil {
			return err
		}
	}
	return send(gatewaytest.Finished())
}

func TestCreateIsWhatGetSays(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.answers.Play(thinks)
	status, created := m.raw("POST", "/v1/responses", `{"model":"m","instructions":"Be brief.","input":"hi","temperature":0.5,
		"metadata":{"k":"v"},"tools":[{"type":"function","name":"look","parameters":{"z":1,"a":2}}],"reasoning":{"effort":"low"},"text":{"verbosity":"low"}}`)
	if status != 200 {
		t.Fatalf("%d %s", status, created)
	}
	var got object
	if err := json.Unmarshal(created, &got); err != nil {
		t.Fatal(err)
	}
	id := got["id"].(string)
	if !strings.HasPrefix(id, "resp_") || got["instructions"] != "Be brief." || got["temperature"] != 0.5 || got["store"] != true ||
		!cmp.Equal(got["metadata"], object{"k": "v"}) || !cmp.Equal(got["reasoning"], object{"effort": "low", "summary": nil}) {
		t.Errorf("%s", created)
	}
	for _, base := range []string{"", "/v1", "/openai/v1", "/openai"} {
		if status, again := m.raw("GET", base+"/responses/"+id, ""); status != 200 || !bytes.Equal(again, created) {
			t.Errorf("%d\n%s\n%s", status, again, created)
		}
	}
	if labels := m.requests.Last().GetMetadata(); labels["k"] != "v" {
		t.Errorf("labels %v", labels)
	}
	if wireOf := m.requests.Last().GetTurn().GetAcceptWire(); wireOf != conversationv1.Wire_WIRE_UNSPECIFIED {
		t.Errorf("accepts %v", wireOf)
	}
	for _, gone := range []string{"metadata", "store", "previous_response_id"} {
		if strings.Contains(string(m.requests.Last().GetTurn().GetRaw().GetBody()), gone) {
			t.Errorf("%s goes to the provider", gone)
		}
	}
}

// TestResume asks for the rest of a stream behind every event.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]responsetest.Script{
		"whole": thinks,
		"failed": func(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
			_ = send(gatewaytest.Started("m-1"), gatewaytest.Text("Hal"))
			return send(gatewaytest.Failed(fault.StoreUnavailable("gpt", nil)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			m.answers.Play(script)
			status, live := m.raw("POST", "/v1/responses", `{"model":"m","input":"hi","stream":true}`)
			all := events(t, live)
			if status != 200 || len(all) < 5 {
				t.Fatalf("%d %s", status, live)
			}
			for i, event := range all {
				if sequence(t, event) != i {
					t.Fatalf("event %d: %s", i, event)
				}
			}
			id := m.requests.get("req_1").GetResponseId()
			if _, again := m.raw("GET", "/v1/responses/"+id+"?stream=true", ""); !bytes.Equal(again, live) {
				t.Fatalf("again:\n%s\nlive:\n%s", again, live)
			}
			for n := range all {
				status, rest := m.raw("GET", fmt.Sprintf("/v1/responses/%s?stream=true&starting_after=%d", id, n), "")
				if want := strings.Join(all[n+1:], "\n\n"); status != 200 || strings.TrimSuffix(string(rest), "\n\n") != want {
					t.Fatalf("behind %d: %d\n%s\nwant\n%s", n, status, rest, want)
				}
				// A browser's EventSource gets ids, and comes again with the last one.
				_, rest = m.raw("GET", "/v1/responses/"+id+"?stream=true", "", "Accept", "text/event-stream", "Last-Event-ID", fmt.Sprint(n))
				got := events(t, rest)
				for i, event := range got {
					named, behind, _ := strings.Cut(event, "\n")
					if named != fmt.Sprint("id: ", n+1+i) || behind != all[n+1+i] {
						t.Fatalf("behind %d: %s", n, event)
					}
				}
				if len(got) != len(all)-n-1 {
					t.Fatalf("%d events behind %d of %d", len(got), n, len(all))
				}
			}
		})
	}
}

// TestInterruptedBehindItsLog: a client that was shown more than a killed process
// had kept learns that the answer ended.
func TestInterruptedBehindItsLog(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.answers.Play(func(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		_ = send(gatewaytest.Started("m-1"), gatewaytest.Text("Hal"))
		return send(gatewaytest.Failed(fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_INTERRUPTED, "the process that made the answer ended")))
	})
	_, live := m.raw("POST", "/v1/responses", `{"model":"m","input":"hi","stream":true}`)
	seen := len(events(t, live)) + 3
	id := m.requests.get("req_1").GetResponseId()
	status, rest := m.raw("GET", fmt.Sprintf("/v1/responses/%s?stream=true&starting_after=%d", id, seen), "")
	got := events(t, rest)
	if status != 200 || len(got) != 2 || !strings.HasPrefix(got[0], "event: error\n") || !strings.HasPrefix(got[1], "event: response.failed\n") {
		t.Fatalf("%d\n%s", status, rest)
	}
	for i, event := range got {
		if sequence(t, event) != seen+1+i {
			t.Fatalf("event %d behind %d: %s", i, seen, event)
		}
	}
}

func TestStreamEndsAsGetSays(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.answers.Play(thinks)
	_, live := m.raw("POST", "/v1/responses", `{"model":"m","input":"hi","stream":true}`)
	all := events(t, live)
	last := all[len(all)-1]
	_, object, _ := strings.Cut(last, `"response":`)
	_, got := m.raw("GET", "/v1/responses/"+m.requests.get("req_1").GetResponseId(), "")
	if !strings.HasPrefix(last, "event: response.completed\n") || string(got)+"}" != object {
		t.Errorf("got\n%s\nthe stream ended with\n%s", got, object)
	}
}

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

func TestUnknown(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	secret := m.ask(`{"model":"m","input":"hi","store":false}`)
	if secret["store"] != false || m.requests.Last().GetSessionId() != "" {
		t.Error(secret)
	}
	id := secret["id"].(string)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               any
	}{
		{"GET", "/v1/responses/resp_none", "", 404, nil},
		{"GET", "/v1/responses/" + id, "", 404, nil},
		{"GET", "/v1/responses/" + id + "?stream=true", "", 404, nil},
		{"DELETE", "/v1/responses/" + id, "", 404, nil},
		{"POST", "/v1/responses/" + id + "/cancel", "", 404, nil},
		{"GET", "/v1/responses/" + id + "/input_items", "", 404, nil},
		{"POST", "/v1/responses", `{"model":"m","input":"x","previous_response_id":"` + id + `"}`, 400, "previous_response_not_found"},
		{"POST", "/v1/responses", `{"model":"m","input":"x","previous_response_id":"resp_none"}`, 400, "previous_response_not_found"},
		{"POST", "/v1/responses", `{"model":"m","input":"x","conversation":"conv_none"}`, 404, nil},
		{"POST", "/v1/responses", `{"model":"m","input":"x","conversation":{"id":"a b"}}`, 404, nil},
		{"POST", "/v1/responses", `{"model":"m","input":"x","conversation":"c","previous_response_id":"r"}`, 400, "mutually_exclusive_parameters"},
		{"POST", "/v1/responses", `{"model":"m","input":"x","background":true,"store":false}`, 400, "invalid_value"},
		{"POST", "/v1/responses", `{"model":"m"}`, 400, "invalid_value"},
		{"POST", "/v1/responses", `{"model":"m","input":5}`, 400, "invalid_type"},
		{"POST", "/v1/responses", `{"model":"m","input":"x","metadata":{"k":1}}`, 400, "invalid_value"},
		{"POST", "/v1/responses", `{"model":"m","input":"x","store":true,"store":false}`, 400, "duplicate_parameter"},
		{"POST", "/v1/responses", `{"model":"m","input":"x","temperature":3}`, 400, "invalid_value"},
		{"POST", "/v1/responses", `{`, 400, "invalid_type"},
		{"GET", "/v1/responses/" + id + "?starting_after=1", "", 400, "invalid_value"},
		{"PUT", "/v1/responses", "", 405, "method_not_allowed"},
		{"GET", "/v1/conversations/conv_none", "", 404, nil},
		{"GET", "/v1/conversations/conv_none/items", "", 404, nil},
		{"GET", "/v1/conversations/conv_none/items/x", "", 404, nil},
		{"DELETE", "/v1/conversations/conv_none", "", 404, nil},
		{"POST", "/v1/conversations/conv_none", `{"metadata":{}}`, 404, nil},
		{"POST", "/v1/conversations/conv_none/items", `{"items":[{"role":"user","content":"x"}]}`, 404, nil},
		{"GET", "/v1/conversations/conv_none/what/ever", "", 404, "unknown_url"},
	} {
		status, got := m.call(c.method, c.path, c.body)
		t.Run(c.method+c.path+c.body, func(t *testing.T) { wantError(t, status, got, c.status, c.code) })
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	first := m.ask(`{"model":"m","input":"one"}`)["id"].(string)
	second := m.ask(`{"model":"m","input":"two","previous_response_id":"` + first + `"}`)["id"].(string)
	alone := m.ask(`{"model":"m","input":"alone"}`)["id"].(string)
	for _, id := range []string{first, alone} {
		if status, got := m.call("DELETE", "/v1/responses/"+id, ""); status != 200 || !cmp.Equal(got, object{"id": id, "object": "response", "deleted": true}) {
			t.Errorf("%d %v", status, got)
		}
		status, got := m.call("GET", "/v1/responses/"+id, "")
		wantError(t, status, got, 404, nil)
	}
	if m.sessions.Messages("ses_3") != nil {
		t.Error("what was kept for a deleted response is still there")
	}
	m.ask(`{"model":"m","input":"three","previous_response_id":"` + second + `"}`)
	if got := m.said(); got != "user:one assistant:Hello user:two assistant:Hello user:three" {
		t.Error(got)
	}
}

func TestBackground(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.requests.hold = make(chan struct{})
	got := m.ask(`{"model":"m","input":"hi","background":true}`)
	id := got["id"].(string)
	if got["status"] != "queued" || got["background"] != true || got["model"] != "m" {
		t.Error(got)
	}
	if _, got = m.call("GET", "/v1/responses/"+id, ""); got["status"] != "queued" {
		t.Error(got)
	}
	watched := make(chan []byte)
	go func() {
		_, raw := m.raw("GET", "/v1/responses/"+id+"?stream=true", "")
		watched <- raw
	}()
	close(m.requests.hold)
	all := events(t, <-watched)
	if !strings.HasPrefix(all[len(all)-1], "event: response.completed\n") {
		t.Error(all)
	}
	if _, got = m.call("GET", "/v1/responses/"+id, ""); got["status"] != "completed" || got["background"] != true {
		t.Error(got)
	}
	if status, got := m.call("POST", "/v1/responses/"+id+"/cancel", ""); status != 200 || got["status"] != "completed" {
		t.Error(status, got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.requests.hold = make(chan struct{})
	id := m.ask(`{"model":"m","input":"hi","background":true}`)["id"].(string)
	if status, got := m.call("POST", "/v1/responses/"+id+"/cancel", ""); status != 200 || got["status"] != "cancelled" || got["error"] != nil {
		t.Error(status, got)
	}
	close(m.requests.hold)

	begun := make(chan struct{})
	m.answers.Play(func(ctx context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		_ = send(gatewaytest.Started("m-1"), gatewaytest.Text("Hal"))
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	})
	id = m.ask(`{"model":"m","input":"hi","background":true}`)["id"].(string)
	<-begun
	if _, got := m.call("GET", "/v1/responses/"+id, ""); got["status"] != "in_progress" {
		t.Error(got)
	}
	if status, got := m.call("POST", "/v1/responses/"+id+"/cancel", ""); status != 200 {
		t.Error(status, got)
	}
	_, stream := m.raw("GET", "/v1/responses/"+id+"?stream=true", "")
	all := events(t, stream)
	if last := all[len(all)-1]; !strings.HasPrefix(last, "event: response.failed\n") || !strings.Contains(last, `"status":"cancelled"`) {
		t.Error(last)
	}
	if _, got := m.call("GET", "/v1/responses/"+id, ""); got["status"] != "cancelled" {
		t.Error(got)
	}
	status, got := m.call("POST", "/v1/responses", `{"model":"m","input":"x","previous_response_id":"`+id+`"}`)
	wantError(t, status, got, 400, "previous_response_not_completed")
	status, got = m.call("GET", "/v1/responses/"+id+"/input_items", "")
	wantError(t, status, got, 400, "invalid_value")
}

func TestFailures(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.answers.Play(func(context.Context, *responsev1.GenerateRequest, func(...*conversationv1.Event) error) error {
		return gatewaytest.NoModel("m")
	})
	for _, body := range []string{`{"model":"m","input":"x"}`, `{"model":"m","input":"x","stream":true}`} {
		status, got := m.call("POST", "/v1/responses", body)
		wantError(t, status, got, 404, "model_not_found")
	}
	_, got := m.call("GET", "/v1/responses/"+m.requests.get("req_1").GetResponseId(), "")
	if got["status"] != "failed" || !cmp.Equal(got["error"], object{"code": "model_not_found", "message": "no provider has the model m"}) {
		t.Error(got)
	}
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

// TestRaw holds that a provider's own bytes reach the client unchanged but for
// what must differ.
func TestRaw(t *testing.T) {
	t.Parallel()
	const own = conversationv1.Wire_WIRE_OPENAI_RESPONSES
	const stream = "event: response.created\ndata: {\"type\":\"response.created\", \"response\": {\"id\":\"resp_theirs\",\"z\":[1e400],\"store\":false,\"metadata\":{}},\"sequence_number\":0}\n\n" +
		"event: response.web_search_call.searching\ndata: {\"type\":\"response.web_search_call.searching\",\"item_id\":\"ws_1\"}\n\n" +
		"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_theirs\"}}\n\n"
	const whole = `{"id":"resp_theirs", "big":12345678901234567890,"metadata":{}}`
	for _, c := range []struct {
		name, body, data string
		form             conversationv1.RawForm
		want             string
	}{
		{"stream", `{"model":"m","input":"x","store":false,"stream":true,"metadata":{"k":"v"}}`, stream, conversationv1.RawForm_RAW_FORM_SSE,
			strings.Replace(strings.ReplaceAll(stream, "resp_theirs", "resp_1"), `"metadata":{}`, `"metadata":{"k":"v"}`, 1)},
		{"whole", `{"model":"m","input":"x","store":false}`, whole, conversationv1.RawForm_RAW_FORM_JSON,
			`{"id":"resp_1", "big":12345678901234567890,"metadata":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			room := &gatewaytest.Request{Script: gatewaytest.Chunks(
				gatewaytest.Raw(own, c.form, c.data, gatewaytest.Started("m"), gatewaytest.Usage(1, 1), gatewaytest.Finished()))}
			face, err := responses.New(responses.Config{}, responses.Deps{Request: room, Response: m.requests.answers, Session: m.requests.sessions, GPT: counter{}})
			if err != nil {
				t.Fatal(err)
			}
			face.Prefixes = append(face.Prefixes, "/")
			m.serve(face)
			if _, got := m.raw("POST", "/v1/responses", c.body); string(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if room.Last().GetTurn().GetAcceptWire() != own {
				t.Error("the provider's own bytes are not asked for")
			}
		})
	}
}

// TestLongEcho holds that what a client asked for comes back however long.
func TestLongEcho(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	tool := `{"type":"function","name":"look","description":"` + strings.Repeat("Looks at ❤ things. ", 5000) + `"}`
	created := m.ask(`{"model":"m","input":"x","tools":[` + tool + `]}`)
	_, got := m.call("GET", "/v1/responses/"+created["id"].(string), "")
	if !cmp.Equal(got, created) {
		t.Error("the response is another")
	}
	for key, value := range m.requests.Last().GetMetadata() {
		if len([]rune(value)) > 1024 || len(key) > 64 {
			t.Errorf("label %s is too long", key)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := responses.New(responses.DefaultConfig(), responses.Deps{}); err == nil {
		t.Error("made without rooms")
	}
	if err := (responses.Config{Heartbeat: -1}).Validate(); err == nil || !strings.Contains(err.Error(), "heartbeat") {
		t.Error(err)
	}
}

var _ requestv1.RequestServiceCaller = (*requests)(nil)

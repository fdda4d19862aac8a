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
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
	"google.golang.org/grpc/codes"
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
	turn := m.answers.Calls()[len(m.answers.Calls())-1].GetTurn()
	if turn.GetRaw() != nil {
		var err error
		if turn, err = wireresponses.Codec().DecodeTurn(turn.GetRaw().GetBody()); err != nil {
			m.t.Fatal(err)
		}
	}
	for _, msg := range turn.GetMessages() {
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

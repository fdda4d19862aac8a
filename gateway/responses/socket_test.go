package responses_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/responses"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
)

// socket is a client of the mesh over a websocket.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

func (m *mesh) dial(headers ...string) *socket {
	m.t.Helper()
	options := &websocket.DialOptions{HTTPClient: m.client, HTTPHeader: http.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		options.HTTPHeader.Set(headers[i], headers[i+1])
	}
	conn, _, err := websocket.Dial(m.t.Context(), m.url+"/v1/responses", options)
	if err != nil {
		m.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	m.t.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{m.t, conn}
}

func (s *socket) say(format string, args ...any) {
	s.t.Helper()
	if err := s.conn.Write(s.t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) next() object {
	s.t.Helper()
	_, data, err := s.conn.Read(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	var event object
	if err := json.Unmarshal(data, &event); err != nil {
		s.t.Fatalf("%v: %s", err, data)
	}
	return event
}

// turn has a turn answered: the types of its events, and the last one.
func (s *socket) turn(format string, args ...any) (types []string, last object) {
	s.t.Helper()
	s.say(format, args...)
	for {
		event := s.next()
		kind := event["type"].(string)
		types = append(types, kind)
		switch kind {
		case "response.completed", "response.incomplete", "response.failed", "error":
			return types, event
		}
	}
}

// answered is the id of an answer that must be complete.
func (s *socket) answered(format string, args ...any) string {
	s.t.Helper()
	_, last := s.turn(format, args...)
	if last["type"] != "response.completed" {
		s.t.Fatal(last)
	}
	return last["response"].(object)["id"].(string)
}

// closed is the status with which the connection ends.
func (s *socket) closed() websocket.StatusCode {
	for {
		if _, _, err := s.conn.Read(s.t.Context()); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// TestSocketHasTheStreamsEvents: those that a client without a websocket gets.
func TestSocketHasTheStreamsEvents(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	_, raw := m.raw("POST", "/v1/responses", `{"model":"m","input":"hi","stream":true}`)
	var want []string
	for _, event := range events(t, raw) {
		name, _, _ := strings.Cut(event, "\n")
		want = append(want, strings.TrimPrefix(name, "event: "))
	}
	s := m.dial()
	for range 2 {
		got, last := s.turn(`{"type":"response.create","model":"m","input":"hi"}`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		answer := last["response"].(object)
		text := answer["output"].([]any)[0].(object)["content"].([]any)[0].(object)["text"]
		if status, stored := m.call("GET", "/v1/responses/"+answer["id"].(string), ""); text != "Hello" || status != 200 || stored["status"] != "completed" {
			t.Errorf("%v, and kept: %d %v", text, status, stored)
		}
	}
}

// TestSocketKeepsWhatIsNotStored: a turn goes on from the one before it, whoever keeps that.
func TestSocketKeepsWhatIsNotStored(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	s := m.dial()
	const create = `{"type":"response.create","model":"m",`

	id := s.answered(create + `"store":false,"input":"one"}`)
	id = s.answered(create+`"store":false,"input":[{"role":"user","content":"two"}],"previous_response_id":%q}`, id)
	id = s.answered(create+`"input":[{"type":"message","role":"user","content":"three"}],"previous_response_id":%q}`, id)
	if got, want := m.said(), "user:one assistant:Hello user:two assistant:Hello user:three"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// That one was stored: others can go on from it, also in ways that are not.
	id = s.answered(create+`"store":false,"input":"four","previous_response_id":%q}`, id)
	s.answered(create+`"store":false,"input":"five","previous_response_id":%q}`, id)
	if got, want := m.said(), "user:one assistant:Hello user:two assistant:Hello user:three assistant:Hello user:four assistant:Hello user:five"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Only the last one is kept, and gone once a turn that goes on from it failed.
	if _, last := s.turn(create+`"input":"six","previous_response_id":%q}`, id); last["status"] != 400.0 || last["error"].(object)["code"] != "previous_response_not_found" {
		t.Error(last)
	}
	id = s.answered(create + `"store":false,"input":"one"}`)
	_, last := s.turn(create+`"store":false,"input":"two","metadata":7,"previous_response_id":%q}`, id)
	wantError(t, 400, last, 400, "invalid_value")
	_, last = s.turn(create+`"store":false,"input":"two","previous_response_id":%q}`, id)
	wantError(t, 400, last, 400, "previous_response_not_found")
}

// TestSocketWarmsUp: nothing is asked of a model before there is something to ask.
func TestSocketWarmsUp(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	s := m.dial()
	types, last := s.turn(`{"type":"response.create","generate":false,"model":"m","input":"one"}`)
	if diff := cmp.Diff([]string{"response.created", "response.completed"}, types); diff != "" {
		t.Error(diff)
	}
	if n := len(m.answers.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
	id := last["response"].(object)["id"].(string)
	s.answered(`{"type":"response.create","model":"m","input":[],"previous_response_id":%q}`, id)
	if got := m.said(); got != "user:one" {
		t.Error(got)
	}
}

// TestSocketTellsOfErrors: with the status that they have over HTTP. The connection
// is there for the next turn.
func TestSocketTellsOfErrors(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	s := m.dial()
	for message, want := range map[string]struct {
		status float64
		param  any
	}{
		`nonsense`:                {400, nil},
		`{"type":"response.ask"}`: {400, "type"},
		`{"type":"response.create","stream_id":"a","model":"m","input":"hi"}`:              {400, "stream_id"},
		`{"type":"response.create","model":"m","input":"hi","metadata":7}`:                 {400, "metadata"},
		`{"type":"response.create","model":"m","input":"x","previous_response_id":"resp"}`: {400, "previous_response_id"},
	} {
		_, last := s.turn("%s", message)
		if told, _ := last["error"].(object); last["type"] != "error" || last["status"] != want.status || told["param"] != want.param || told["message"] == "" {
			t.Errorf("%s: %v", message, last)
		}
	}
	m.answers.Play(func(_ context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		if err := send(responsetest.Started(), responsetest.Text("Hel")); err != nil {
			return err
		}
		return send(gatewaytest.Failed(context.DeadlineExceeded))
	})
	types, last := s.turn(`{"type":"response.create","model":"m","store":false,"input":"hi"}`)
	if len(types) < 3 || last["type"] != "response.failed" || slices.Contains(types, "error") {
		t.Errorf("amid an answer: %v %v", types, last)
	}
	s.say(`{"type":"response.processed","response_id":"resp_1"}`)
	m.answers.Play(responsetest.Says("so"))
	s.answered(`{"type":"response.create","model":"m","input":"hi"}`)
}

// TestSocketLeaves: a turn ends with its client.
func TestSocketLeaves(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	begun, ended := make(chan struct{}), make(chan struct{})
	m.answers.Play(func(ctx context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		if err := send(responsetest.Started()); err != nil {
			return err
		}
		close(begun)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	})
	s := m.dial()
	s.say(`{"type":"response.create","model":"m","input":"hi"}`)
	<-begun
	if err := s.conn.CloseNow(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// TestSocketBoundsWhatWaits: a client that says more than is answered is shown out.
func TestSocketBoundsWhatWaits(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	m.answers.Play(func(ctx context.Context, _ *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		if err := send(responsetest.Started()); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	s := m.dial()
	for range 8 {
		if s.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"response.create","model":"m","input":"hi"}`)) != nil {
			break // shown out already
		}
	}
	if status := s.closed(); status != websocket.StatusPolicyViolation {
		t.Error(status)
	}
	s = m.dial()
	if err := s.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if status := s.closed(); status != websocket.StatusUnsupportedData {
		t.Error(status)
	}
}

// TestSocketDrains: the turn under way is answered, then the client is told to go.
func TestSocketDrains(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	s, idle := m.dial(), m.dial()
	begun, release := make(chan struct{}), make(chan struct{})
	m.answers.Play(func(ctx context.Context, req *responsev1.GenerateRequest, send func(...*conversationv1.Event) error) error {
		close(begun)
		<-release
		return responsetest.Says("so")(ctx, req, send)
	})
	s.say(`{"type":"response.create","model":"m","input":"hi"}`)
	<-begun
	drained := make(chan error)
	go func() { drained <- m.edge.Drain(context.WithoutCancel(t.Context())) }()
	if status := idle.closed(); status != websocket.StatusGoingAway {
		t.Error(status)
	}
	close(release)
	for s.next()["type"] != "response.completed" {
	}
	if status := s.closed(); status != websocket.StatusGoingAway {
		t.Error(status)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestSocketAsksForAKey: before it changes to a websocket, and for each turn again.
func TestSocketAsksForAKey(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	face, err := responses.New(responses.DefaultConfig(), responses.Deps{Request: m.requests, Response: m.requests.answers, Session: m.requests.sessions, GPT: counter{}})
	if err != nil {
		t.Fatal(err)
	}
	face.Prefixes = append(face.Prefixes, "/")
	m.url = gatewaytest.Serve(t, gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{face}, Auth: gatewaytest.Keys(t, "key-1")}, nil))
	_, resp, err := websocket.Dial(t.Context(), m.url+"/v1/responses", &websocket.DialOptions{HTTPClient: m.client})
	if err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%v %v", resp, err)
	}
	m.dial("Authorization", "Bearer key-1").answered(`{"type":"response.create","model":"m","input":"hi"}`)
	m.url += "/k/key-1"
	m.dial().answered(`{"type":"response.create","model":"m","input":"hi"}`)
}

// TestSocketKeepsAProvidersOwnItems: what a provider of the same dialect answered and
// nobody stored goes back to it as it was, encrypted thoughts and all, with what is new.
func TestSocketKeepsAProvidersOwnItems(t *testing.T) {
	t.Parallel()
	const own = conversationv1.Wire_WIRE_OPENAI_RESPONSES
	const thought, said = `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"ENC"}`,
		`{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[],"logprobs":[]}]}`
	const data = `event: response.created` + "\n" + `data: {"type":"response.created","response":{"id":"resp_theirs","store":false,"metadata":{}},"sequence_number":0}` + "\n\n" +
		`event: response.output_item.done` + "\n" + `data: {"type":"response.output_item.done","output_index":0,"item":` + thought + `,"sequence_number":1}` + "\n\n" +
		`event: response.output_item.done` + "\n" + `data: {"type":"response.output_item.done","output_index":1,"item":` + said + `,"sequence_number":2}` + "\n\n" +
		`event: response.completed` + "\n" + `data: {"type":"response.completed","response":{"id":"resp_theirs","status":"completed","output":[` + thought + `,` + said + `]},"sequence_number":3}` + "\n\n"
	m := newMesh(t)
	room := &gatewaytest.Request{Script: gatewaytest.Chunks(
		gatewaytest.Raw(own, conversationv1.RawForm_RAW_FORM_SSE, data, gatewaytest.Started("m"), gatewaytest.Text("Hello"), gatewaytest.Usage(1, 1), gatewaytest.Finished()))}
	face, err := responses.New(responses.Config{}, responses.Deps{Request: room, Response: m.requests.answers, Session: m.requests.sessions, GPT: counter{}})
	if err != nil {
		t.Fatal(err)
	}
	face.Prefixes = append(face.Prefixes, "/")
	m.serve(face)
	s := m.dial()
	const create = `{"type":"response.create","model":"m","store":false,"tools":[{"type":"web_search"}],`
	id := s.answered(create + `"input":[{"role":"user","content":"one"}]}`)
	s.answered(create+`"input":[{"role":"user","content":"two"}],"previous_response_id":%q}`, id)
	turn := room.Last().GetTurn()
	if turn.GetAcceptWire() != own || turn.GetRaw().GetWire() != own {
		t.Fatalf("the turn is in %v and asks for %v", turn.GetRaw().GetWire(), turn.GetAcceptWire())
	}
	body := string(turn.GetRaw().GetBody())
	want := `"input":[{"role":"user","content":"one"},` + thought + `,` + said + `,{"role":"user","content":"two"}]`
	if !strings.Contains(body, want) || !strings.Contains(body, `"tools":[{"type":"web_search"}]`) || strings.Contains(body, "previous_response_id") {
		t.Errorf("the provider gets %s", body)
	}
}

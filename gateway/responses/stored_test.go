package responses_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
)

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

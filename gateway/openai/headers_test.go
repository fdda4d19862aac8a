package openai_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
)

func TestSessionInMetadata(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.request.Script = gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Finished()))
	const messages = `"messages":[{"role":"user","content":"gptmesh_session"}]`
	for given, want := range map[string][2]string{
		`{"metadata":{"gptmesh_session":"ses_1"},"model":"m",` + messages + `}`:                {"ses_1", `{"model":"m",` + messages + `}`},
		`{"model":"m","metadata":{"b":1, "gptmesh_session":"new","a": [2] },` + messages + `}`: {"new", `{"model":"m","metadata":{"b":1,"a": [2]},` + messages + `}`},
		`{"model":"m","metadata":{"b":"gptmesh_session"},` + messages + `}`:                    {"", `{"model":"m","metadata":{"b":"gptmesh_session"},` + messages + `}`},
		`{"model":"m",` + messages + `}`:                                                       {"", `{"model":"m",` + messages + `}`},
		`{"model":"m","x":{"gptmesh_session":"ses_1"},` + messages + `}`:                       {"", `{"model":"m","x":{"gptmesh_session":"ses_1"},` + messages + `}`},
	} {
		if w := post(m, "/v1/chat/completions", given); w.Code != 200 {
			t.Errorf("%s: %d %s", given, w.Code, w.Body)
			continue
		}
		if got := m.request.Last(); got.GetSessionId() != want[0] || string(got.GetTurn().GetRaw().GetBody()) != want[1] {
			t.Errorf("%s:\n got %q %s\nwant %q %s", given, got.GetSessionId(), got.GetTurn().GetRaw().GetBody(), want[0], want[1])
		}
	}
	for _, bad := range []string{`{"gptmesh_session":"a b"}`, `{"gptmesh_session":7}`, `{"gptmesh_session":"a","gptmesh_session":"b"}`} {
		w := post(m, "/v1/chat/completions", `{"model":"m","metadata":`+bad+`,`+messages+`}`)
		if w.Code != 400 || !strings.Contains(w.Body.String(), "metadata.gptmesh_session") {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}
	w := post(m, "/v1/chat/completions", `{"model":"m","metadata":{"gptmesh_session":"a"},`+messages+`}`, "x-gptmesh-session", "b")
	if w.Code != 400 {
		t.Errorf("two sessions: %d", w.Code)
	}
}

func TestBadHeaders(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	for _, c := range [][2]string{
		{"X-Gptmesh-Session", "a/b"}, {"X-Gptmesh-Session", strings.Repeat("a", 65)}, {"X-Gptmesh-User", strings.Repeat("a", 129)},
		{"Idempotency-Key", strings.Repeat("a", 256)}, {"X-Gptmesh-On-Disconnect", "perhaps"}, {"X-Gptmesh-Cache", "-1"}, {"X-Gptmesh-Cache", "604801"},
		{"X-Gptmesh-Post", "reasoning"}, {"X-Gptmesh-Post", "reasoning=maybe"}, {"X-Gptmesh-Post", "format=json,format=plain"}, {"X-Request-Timeout", "x"},
	} {
		w := post(m, "/v1/chat/completions", ask, c[0], c[1])
		var out struct {
			Error struct{ Param, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 400 || !strings.EqualFold(out.Error.Param, c[0]) {
			t.Errorf("%s: %d %s", c, w.Code, w.Body)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("new", "cancel", "60", "reasoning=strip", "9")
	f.Add("a b", "x", "-1", "format=", "NaN")
	f.Add(strings.Repeat("é", 99), "", "1e3", "=,=", "0.0000001")
	m := newMesh(f, nil)
	m.request.Script = gatewaytest.Chunks(gatewaytest.Raw(own, whole, `{}`, gatewaytest.Started("m"), gatewaytest.Finished()))
	f.Fuzz(func(t *testing.T, session, disconnect, cache, post, timeout string) {
		r := httptest.NewRequest("POST", "/v1/chat/completions", bytes.NewReader([]byte(ask)))
		r.Host = "localhost"
		for key, value := range map[string]string{"X-Gptmesh-Session": session, "X-Gptmesh-On-Disconnect": disconnect, "X-Gptmesh-Cache": cache, "X-Gptmesh-Post": post,
			"X-Request-Timeout": timeout, "X-Gptmesh-User": session, "Idempotency-Key": post, "X-Request-Id": disconnect} {
			r.Header.Set(key, value)
		}
		w := httptest.NewRecorder()
		m.edge.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

func FuzzSessionInMetadata(f *testing.F) {
	f.Add(`{"metadata":{"gptmesh_session":"a"},"model":"m","messages":[{"role":"user","content":"x"}]}`)
	f.Add(`{"metadata":{"gptmesh_session":"a","x":1},"metadata":{}}`)
	f.Add(`{"metadata":[],"gptmesh_session":1}`)
	m := newMesh(f, nil)
	m.request.Script = gatewaytest.Chunks(gatewaytest.Raw(own, whole, `{}`, gatewaytest.Started("m"), gatewaytest.Finished()))
	f.Fuzz(func(t *testing.T, body string) {
		w := post(m, "/v1/chat/completions", body)
		if w.Code != 200 && w.Code != 400 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code == 200 && !json.Valid(m.request.Last().GetTurn().GetRaw().GetBody()) {
			t.Fatalf("%s became %s", body, m.request.Last().GetTurn().GetRaw().GetBody())
		}
	})
}

package openai_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// TestBodiesThatAreKept: a room may keep the body of a request that outlives its
// call; only that of a plain one may lie where the next request will come. A session
// keeps its messages marshalled.
func TestBodiesThatAreKept(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.request.Script = gatewaytest.Chunks(
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Text("Hello")),
		gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_STOP), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
	address, client := gatewaytest.Serve(t, m.edge), gatewaytest.Client(t)
	send := func(body string, headers ...string) *requestv1.SubmitRequest {
		t.Helper()
		req, err := http.NewRequest("POST", address+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.StatusCode, err, string(text))
		}
		return m.request.Last()
	}
	session := `{"model":"gpt-4.1","metadata":{"gptmesh_session":"s1"},"messages":[{"role":"user","content":"hi"}]}`
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"stream":      {askStream, nil},
		"responses":   {askResponses, nil},
		"metadata":    {session, nil},
		"idempotency": {ask, []string{"Idempotency-Key", "k"}},
		"drain":       {ask, []string{"X-Gptmesh-On-Disconnect", "drain"}},
		"detach":      {ask, []string{"X-Gptmesh-On-Disconnect", "detach"}},
		"cache":       {ask, []string{"X-Gptmesh-Cache", "60"}},
		"post":        {ask, []string{"X-Gptmesh-Post", "format=plain"}},
	} {
		got := send(c.body, c.headers...)
		want := c.body
		if name == "metadata" {
			want = `{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}`
		}
		// The next requests come into the same memory.
		for range 3 {
			send(strings.ReplaceAll(ask, "hi", strings.Repeat("x", len(c.body))))
		}
		if string(got.GetTurn().GetRaw().GetBody()) != want {
			t.Errorf("%s: the body became %q", name, got.GetTurn().GetRaw().GetBody())
		}
	}
}

package responses_test

import (
	"context"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// counter counts a token for each message, and ten for each tool.
type counter struct{ gptv1.GPTServiceCaller }

func (counter) CountTokens(_ context.Context, req *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
	n := len(req.GetTurn().GetMessages()) + 10*len(req.GetTurn().GetTools())
	return &gptv1.CountTokensResponse{InputTokens: int64(n)}, nil
}

// What a turn would have is counted with what goes before it, and nothing is made.
func TestInputTokens(t *testing.T) {
	t.Parallel()
	m := newMesh(t)
	first := m.ask(`{"model":"m","instructions":"be brief","input":"one"}`)["id"].(string)
	_, conversation := m.call("POST", "/v1/conversations", `{"items":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`)
	calls := len(m.answers.Calls())
	for body, want := range map[string]float64{
		`{"model":"m","input":"x"}`: 1,
		`{"model":"m","instructions":"be brief","input":"x","tools":[{"type":"function","name":"f"}]}`:              12,
		`{"model":"m","instructions":"anew","input":"two","previous_response_id":"` + first + `"}`:                  4,
		`{"model":"m","previous_response_id":"` + first + `"}`:                                                      2,
		`{"model":"m","input":"c","conversation":"` + conversation["id"].(string) + `"}`:                            3,
		`{"model":"m","input":"c","conversation":{"id":"` + conversation["id"].(string) + `"},"truncation":"auto"}`: 3,
	} {
		status, out := m.call("POST", "/v1/responses/input_tokens", body)
		if status != 200 || out["object"] != "response.input_tokens" || out["input_tokens"] != want {
			t.Errorf("%s: %d %v, want %v", body, status, out, want)
		}
	}
	if len(m.answers.Calls()) != calls {
		t.Error("counting made an answer")
	}
	for body, code := range map[string]any{
		`{"model":"m","input":"x","previous_response_id":"resp_none"}`: "previous_response_not_found",
		`{"model":"m","input":"x","conversation":"conv_none"}`:         nil,
		`{"model":"m"}`: nil,
	} {
		status, out := m.call("POST", "/v1/responses/input_tokens", body)
		if e, ok := out["error"].(object); !ok || status < 400 || status > 404 || code != nil && e["code"] != code {
			t.Errorf("%s: %d %v, want %v", body, status, out, code)
		}
	}
}

// A part of the API that is not here is no response of that name.
func TestCompactIsNotHere(t *testing.T) {
	t.Parallel()
	status, out := newMesh(t).call("POST", "/v1/responses/compact", `{"model":"m","input":"x"}`)
	wantError(t, status, out, 404, "unknown_url")
}

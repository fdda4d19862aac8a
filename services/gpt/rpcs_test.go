package gpt_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestEmbed(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	req := &gptv1.EmbedRequest{Inputs: []*gptv1.EmbedInput{
		{Kind: &gptv1.EmbedInput_Text{Text: "a b"}}, {Kind: &gptv1.EmbedInput_Tokens{Tokens: &gptv1.TokenList{Ids: []int32{7}}}},
	}}
	resp, err := r.Embed(t.Context(), req)
	if err != nil || len(resp.GetEmbeddings()) != 2 || resp.GetProvider() != "echo" || resp.GetUsage().GetInputTokens() != 3 {
		t.Fatalf("%v %v", resp, err)
	}
	if row := r.only(t); row.GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED || row.GetUsage().GetInputTokens() != 3 {
		t.Error(row)
	}
	for field, bad := range map[string]*gptv1.EmbedRequest{
		"inputs": {}, "inputs.0": {Inputs: []*gptv1.EmbedInput{{Kind: &gptv1.EmbedInput_Text{}}}},
	} {
		if _, err := r.Embed(t.Context(), bad); fault.From(err).Field() != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestEmbedAtAProvider(t *testing.T) {
	t.Parallel()
	answers := make(chan string, 2)
	answers <- `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,1]}],"model":"e-1"}`
	answers <- `{"object":"list","data":[],"model":"e-1"}`
	r := start(t, setup{env: openai(t, script(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, <-answers)
	}))})
	req := &gptv1.EmbedRequest{Model: "m", Inputs: []*gptv1.EmbedInput{{Kind: &gptv1.EmbedInput_Text{Text: "12345678"}}}}
	resp, err := r.Embed(t.Context(), req)
	if err != nil || resp.GetEmbeddings()[0].GetValues()[0] != 0.5 || resp.GetUsage().GetInputTokens() != 2 ||
		resp.GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED {
		t.Errorf("%v %v", resp, err)
	}
	if _, err := r.Embed(t.Context(), req); fault.ReasonName(fault.From(err).Reason) != "PROVIDER_PROTOCOL" {
		t.Error(err)
	}
}

func TestCountTokens(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	turn := ask("gpt-4o").GetTurn()
	resp, err := r.CountTokens(t.Context(), &gptv1.CountTokensRequest{Turn: turn})
	if err != nil || !resp.GetExact() || resp.GetTokenizer() != "o200k_base" || resp.GetInputTokens() != 11 {
		t.Errorf("%v %v", resp, err)
	}
	raw := &conversationv1.Turn{Model: "gpt-4o", Raw: &conversationv1.RawTurn{
		Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Body: []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"one two three four"}]}`),
	}}
	again, err := r.CountTokens(t.Context(), &gptv1.CountTokensRequest{Turn: raw})
	if err != nil || again.GetInputTokens() != resp.GetInputTokens() {
		t.Errorf("%v %v", again, err)
	}
	if _, err := r.CountTokens(t.Context(), &gptv1.CountTokensRequest{Turn: &conversationv1.Turn{}}); fault.From(err).Field() != "turn.messages" {
		t.Error(err)
	}
}

func TestAttemptsArePaged(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	for range 5 {
		r.generate(t.Context(), ask("echo"))
	}
	seen, token := map[string]bool{}, ""
	for {
		resp, err := r.ListAttempts(t.Context(), &gptv1.ListAttemptsRequest{PageSize: 2, PageToken: token, SessionId: "ses_1"})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range resp.GetAttempts() {
			seen[a.GetId()] = true
		}
		if token = resp.GetNextPageToken(); token == "" {
			break
		}
		if _, err := r.ListAttempts(t.Context(), &gptv1.ListAttemptsRequest{PageToken: token}); fault.ReasonName(fault.From(err).Reason) != "INVALID_PAGE_TOKEN" {
			t.Errorf("a token of another filter: %v", err)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d attempts", len(seen))
	}
}

func TestCosts(t *testing.T) {
	t.Parallel()
	prices := &gptv1.Prices{InputPerMillion: 2, OutputPerMillion: 10, CachedInputPerMillion: 0.5}
	for _, c := range []struct {
		usage *conversationv1.Usage
		want  int64
	}{
		{&conversationv1.Usage{}, 0},
		{&conversationv1.Usage{InputTokens: 1000}, 2_000_000},
		{&conversationv1.Usage{OutputTokens: 1000}, 10_000_000},
		{&conversationv1.Usage{InputTokens: 1000, CachedInputTokens: 500}, 1_250_000},
		{&conversationv1.Usage{InputTokens: 1000, CacheWriteTokens: 400}, 2_000_000},
	} {
		if got := gpt.Cost(prices, c.usage); got != c.want {
			t.Errorf("%v: %d, want %d", c.usage, got, c.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	r.generate(t.Context(), ask("echo"))
	r.generate(t.Context(), ask("echo?fail=after"))
	err := testutil.GatherAndCompare(r.metrics, strings.NewReader(`
# HELP gptmesh_gpt_attempts_total Calls of providers by how they ended.
# TYPE gptmesh_gpt_attempts_total counter
gptmesh_gpt_attempts_total{model="echo",outcome="completed",provider="echo"} 1
gptmesh_gpt_attempts_total{model="echo",outcome="failed",provider="echo"} 1
# HELP gptmesh_gpt_in_flight Calls under way.
# TYPE gptmesh_gpt_in_flight gauge
gptmesh_gpt_in_flight{provider="echo"} 0
`), "gptmesh_gpt_attempts_total", "gptmesh_gpt_in_flight")
	if err != nil {
		t.Error(err)
	}
}

func TestBadTurnsNameTheField(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	for field, turn := range map[string]*conversationv1.Turn{
		"turn": nil, "turn.messages": {}, "turn.raw.body": {Raw: &conversationv1.RawTurn{}},
	} {
		got := r.generate(t.Context(), &gptv1.GenerateRequest{Turn: turn})
		if fault.From(got.err).Field() != field {
			t.Errorf("%s: %v", field, got.err)
		}
	}
	if len(r.attempts(t)) != 0 {
		t.Error("a bad turn has an attempt")
	}
}

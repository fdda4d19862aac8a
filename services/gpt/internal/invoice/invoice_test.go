package invoice

import (
	"fmt"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func row(id string, day int, in, out, nanos int64) *gptv1.Attempt {
	return &gptv1.Attempt{
		Id: "att_" + id, ProviderResponseId: id, Provider: "openai", Model: "m", Outcome: gptv1.Attempt_OUTCOME_COMPLETED,
		Usage: &conversationv1.Usage{InputTokens: in, OutputTokens: out}, CostNanos: nanos, Currency: "USD",
		ReserveTime: timestamppb.New(time.Date(2026, 11, day, 13, 0, 0, 0, time.UTC)),
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	rows := []*gptv1.Attempt{
		row("a", 1, 10, 2, 1_000_000), row("b", 1, 20, 4, 2_000_000), row("c", 2, 5, 5, 3_000_000), row("d", 2, 1, 1, 0),
		// Refused: the provider has nothing to charge.
		{Id: "att_x", Provider: "openai", Model: "m", Outcome: gptv1.Attempt_OUTCOME_FAILED, ReserveTime: timestamppb.New(time.Unix(0, 0))},
	}
	for name, c := range map[string]struct {
		csv  string
		want string // matched missing-here missing-there tokens cost
	}{
		"by call":       {"id,input_tokens,output_tokens,cost\na,10,2,0.001\nb,20,4,0.002\nc,5,5,0.003\nd,1,1,\n", "4 0 0 0 0"},
		"differs":       {"id,input_tokens,output_tokens,cost\na,10,3,0.001\nb,20,4,0.5\nc,5,5,0.003\nz,1,1,0\n", "1 1 1 1 1"},
		"by attempt":    {"attempt_id,prompt_tokens\natt_a,10\natt_b,20\natt_c,5\natt_d,2\n", "0 0 0 4 0"},
		"by day":        {"day,model,provider,calls,input_tokens,output_tokens\n2026-11-01,m,openai,2,30,6\n2026-11-02,m,openai,2,6,6\n", "2 0 0 0 0"},
		"no provider":   {"date,model,requests,prompt_tokens,completion_tokens\n2026-11-01T23:10:00Z,m,2,30,6\n1793577600,m,1,6,6\n", "1 0 0 1 0"},
		"summed lines":  {"day,model,provider,input_tokens,output_tokens\n2026-11-01,m,openai,10,2\n2026-11-01,m,openai,20,4\n2026-11-02,m,openai,6,6\n", "2 0 0 0 0"},
		"split calls":   {"id,input_tokens,output_tokens,cost\na,10,0,0.0006\na,0,2,0.0004\nb,20,0,0.001\nb,0,4,0.001\nc,5,5,0.003\nd,1,1,\n", "4 0 0 0 0"},
		"counted each":  {"id,calls,input_tokens,output_tokens\na,1,10,0\na,1,0,2\nb,1,20,4\nc,1,5,5\nd,1,1,1\n", "4 0 0 0 0"},
		"bom and quote": {"\ufeff\"ID\", Input Tokens,Output Tokens\n\"a\",10,2\nb,20,4\nc,5,5\nd,1,1\n", "4 0 0 0 0"},
	} {
		paper, err := Parse(c.csv, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		report := NewReport(paper, 0)
		for _, r := range rows {
			report.Add(r)
		}
		got := report.Close()
		text := fmt.Sprintln(got.GetMatched(), got.GetMissingHere(), got.GetMissingThere(), got.GetDifferentTokens(), got.GetDifferentCost())
		if text = strings.TrimSpace(text); text != c.want {
			t.Errorf("%s: have %s, want %s: %v", name, text, c.want, got)
		}
	}
}

func TestBadInvoices(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "no first line",
		"model,input_tokens\nm,1\n":          "needs a column id",
		"id,model\na,m\n":                    "needs a column to compare",
		"id,id,cost\na,b,1\n":                "two columns for id",
		"id,cost\na,lots\n":                  "line 2: cost",
		"id,input_tokens\na,1\nb,-3\n":       "line 3: input",
		"id,input_tokens\n,1\n":              "line 2: the id is empty",
		"day,model,cost\nyesterday,m,1\n":    "line 2: day",
		"id,cost\n\"a,1\n":                   "is no line of a CSV",
		"day,model,cost\n2026-11-01,m,NaN\n": "line 2: cost",
	} {
		if _, err := Parse(text, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("id,input_tokens,output_tokens,cost\na,10,2,0.001\n")
	f.Add("day,model,calls\n2026-11-01,m,2\n")
	f.Fuzz(func(t *testing.T, text string) {
		paper, err := Parse(text, "p")
		if err != nil {
			return
		}
		report := NewReport(paper, 0)
		report.Add(row("a", 1, 1, 1, 1))
		if got := report.Close(); got.GetMatched()+got.GetMissingHere()+got.GetMissingThere()+got.GetDifferentTokens()+got.GetDifferentCost() != int64(len(report.pairs)) {
			t.Error(got)
		}
	})
}

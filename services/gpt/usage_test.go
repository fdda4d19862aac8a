package gpt_test

import (
	"strings"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt"
)

func TestUsageBelongsToItsOwner(t *testing.T) {
	t.Parallel()
	r := start(t, setup{env: openai(t, script(whole)), config: func(c *gpt.Config) {
		c.Models = map[string]gpt.ModelConfig{"openai/m": {Prices: &gpt.PricesConfig{Input: 1, Output: 2}}}
	}})
	usage := gptv1.LocalUsageService(r.room, nil)
	ann, bob := as(t.Context(), "key:ann"), as(t.Context(), "key:bob")
	for range 3 {
		r.generate(ann, ask("m"))
	}
	r.generate(bob, ask("m"))
	by := []gptv1.UsageDimension{gptv1.UsageDimension_USAGE_DIMENSION_KEY, gptv1.UsageDimension_USAGE_DIMENSION_MODEL}
	got, err := usage.QueryUsage(ann, &gptv1.QueryUsageRequest{GroupBy: by})
	if err != nil || len(got.GetGroups()) != 1 {
		t.Fatal(got, err)
	}
	g := got.GetGroups()[0]
	if g.GetKeys()[0] != "key:ann" || g.GetKeys()[1] != "m" || g.GetAttempts() != 3 || g.GetCompleted() != 3 || g.GetInputTokens() != 30 ||
		g.GetOutputTokens() != 6 || g.GetByProvider() != 3 || g.GetCurrency() != "USD" || g.GetCostNanos() != 3*(10*1000+2*2000) {
		t.Error(g)
	}
	if got, err := usage.QueryUsage(as(t.Context(), "key:eve"), &gptv1.QueryUsageRequest{GroupBy: by}); err != nil || len(got.GetGroups()) != 0 {
		t.Error(got, err)
	}
	page, err := usage.QueryUsage(ann, &gptv1.QueryUsageRequest{GroupBy: by, PageSize: 1})
	if err != nil || page.GetNextPageToken() != "" {
		t.Error(page, err)
	}
	if _, err := usage.QueryUsage(bob, &gptv1.QueryUsageRequest{GroupBy: by, PageToken: "x"}); err == nil {
		t.Error("a made-up token was taken")
	}
	report, err := usage.Reconcile(bob, &gptv1.ReconcileRequest{Csv: "id,prompt_tokens,completion_tokens,cost\nc1,10,2,0.000014\n"})
	if err != nil || report.GetMatched() != 1 || len(report.GetDifferences()) != 0 {
		t.Error(report, err)
	}
	report, err = usage.Reconcile(ann, &gptv1.ReconcileRequest{Csv: "id,prompt_tokens,completion_tokens\nc1,10,2\nc9,1,1\n"})
	if err != nil || report.GetMissingHere() != 1 || report.GetDifferentTokens() != 1 || report.GetRows() != 3 {
		t.Error(report, err)
	}
	_, err = usage.Reconcile(ann, &gptv1.ReconcileRequest{Csv: "model,prompt_tokens\nm,10\n"})
	if err == nil || !strings.Contains(err.Error(), "day and model") {
		t.Error(err)
	}
}

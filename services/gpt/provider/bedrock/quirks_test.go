package bedrock

import (
	"strings"
	"testing"
)

func TestQuirksOfModels(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"anthropic.claude-3-haiku-20240307-v1:0":           "claude",
		"us.anthropic.claude-3-7-sonnet-20250219-v1:0":     "claude",
		"us.anthropic.claude-sonnet-4-20250514-v1:0":       "claude",
		"anthropic.claude-opus-4-1-20250805-v1:0":          "claude temperature_or_top_p",
		"global.anthropic.claude-haiku-4-5-20251001-v1:0":  "claude temperature_or_top_p structured_output",
		"us.anthropic.claude-opus-4-6-v1":                  "claude temperature_or_top_p structured_output adaptive_thinking",
		"us.anthropic.claude-opus-5":                       "claude temperature_or_top_p structured_output adaptive_thinking",
		"us.amazon.nova-2-lite-v1:0":                       "nova nova_reasoning",
		"amazon.nova-pro-v1:0":                             "nova",
		"openai.gpt-oss-120b-1:0":                          "reasoning_effort",
		"meta.llama3-1-70b-instruct-v1:0":                  "",
		"arn:aws:bedrock:us-east-1:1:inference-profile/ab": "",
	} {
		if got := strings.Join(quirksOf(model), " "); got != want {
			t.Errorf("%s: %q, want %q", model, got, want)
		}
	}
}

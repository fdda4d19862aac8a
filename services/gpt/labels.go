package gpt

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

func outcomeLabel(outcome gptv1.Attempt_Outcome) string {
	return strings.ToLower(strings.TrimPrefix(outcome.String(), "OUTCOME_"))
}

func sourceLabel(source conversationv1.UsageSource) string {
	return strings.ToLower(strings.TrimPrefix(source.String(), "USAGE_SOURCE_"))
}

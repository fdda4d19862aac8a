package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

var usageKeys = jsonscan.NewKeys("promptTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount")

// tally holds the last counts of an answer. Every chunk has them; a count that
// a chunk leaves out stays.
type tally struct {
	counts [5]int64
	at     [5]jsonscan.Member
}

// read takes the counts of usageMetadata and tells whether they are others than
// before.
func (t *tally) read(body []byte, usage jsonscan.Member) (changed bool) {
	if usage.Kind != jsonscan.Object {
		return false
	}
	if _, err := jsonscan.ScanObject(body, usage.Value, usageKeys, t.at[:0]); err != nil {
		return false
	}
	for i, m := range t.at {
		if m.Kind != jsonscan.Number {
			continue
		}
		if n, err := m.Int64(body); err == nil && t.set(i, n) {
			changed = true
		}
	}
	return changed
}

// set takes one count and tells whether it is another than before.
func (t *tally) set(i int, n int64) bool {
	if n < 0 || n == t.counts[i] {
		return false
	}
	t.counts[i] = n
	return true
}

// usage counts what tools put into the prompt as input, and thoughts as output,
// as the canonical usage does.
func (t *tally) usage() *conversationv1.Usage {
	return &conversationv1.Usage{
		InputTokens: t.counts[0] + t.counts[1], CachedInputTokens: t.counts[2],
		OutputTokens: t.counts[3] + t.counts[4], ReasoningTokens: t.counts[4],
		Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
}

// writeUsage writes the counts as the dialect has them: thoughts apart.
func writeUsage(w *jsonbody.Writer, usage *conversationv1.Usage) {
	w.Key("usageMetadata")
	w.Open('{')
	w.IntField("promptTokenCount", usage.GetInputTokens())
	w.IntField("candidatesTokenCount", max(usage.GetOutputTokens()-usage.GetReasoningTokens(), 0))
	w.IntField("totalTokenCount", usage.GetInputTokens()+usage.GetOutputTokens())
	if usage.GetCachedInputTokens() > 0 {
		w.IntField("cachedContentTokenCount", usage.GetCachedInputTokens())
	}
	if usage.GetReasoningTokens() > 0 {
		w.IntField("thoughtsTokenCount", usage.GetReasoningTokens())
	}
	w.Close('}')
}

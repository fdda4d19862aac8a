package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

var usageKeys = jsonscan.NewKeys("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")

// tally adds up the counts of an answer. They come twice: the later ones
// replace the earlier, where they are given. Nothing but zeros is no count.
type tally struct {
	counts [4]int64
	given  bool
	at     [4]jsonscan.Member
}

// read takes the counts of a member usage.
func (t *tally) read(body []byte, usage jsonscan.Member) {
	if usage.Kind != jsonscan.Object {
		return
	}
	if _, err := jsonscan.ScanObject(body, usage.Value, usageKeys, t.at[:0]); err != nil {
		return
	}
	for i, m := range t.at {
		if n, err := m.Int64(body); err == nil && n >= 0 {
			t.counts[i], t.given = n, t.given || n > 0
		}
	}
}

// usage counts cached tokens in, as the canonical usage does.
func (t *tally) usage() *conversationv1.Usage {
	input, written, cached, output := t.counts[0], t.counts[1], t.counts[2], t.counts[3]
	return &conversationv1.Usage{
		InputTokens: input + written + cached, OutputTokens: output, CachedInputTokens: cached, CacheWriteTokens: written,
		Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
}

// writeUsage writes the counts as the dialect has them: cached tokens apart.
func (w *writer) writeUsage(usage *conversationv1.Usage) {
	w.Key("usage")
	w.Open('{')
	w.IntField("input_tokens", max(usage.GetInputTokens()-usage.GetCachedInputTokens()-usage.GetCacheWriteTokens(), 0))
	w.IntField("cache_creation_input_tokens", usage.GetCacheWriteTokens())
	w.IntField("cache_read_input_tokens", usage.GetCachedInputTokens())
	w.IntField("output_tokens", usage.GetOutputTokens())
	w.Close('}')
}

package openai

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

const (
	atPromptTokens = iota
	atCompletionTokens
	atTotalTokens
	atPromptDetails
	atCompletionDetails
	atPromptCacheHit
	atCachedTokens
	atCacheCreation
	atReasoningTokens
	atCacheWrite
	usageMembers
)

var usageKeys = jsonscan.NewKeys(
	"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
	"prompt_cache_hit_tokens", "cached_tokens", "cache_creation_input_tokens", "reasoning_tokens", "cache_write_tokens",
)

var withinKeys = jsonscan.NewKeys("usage")

// usageWithin finds the count of tokens in an object that wraps it.
func usageWithin(body []byte, at jsonscan.Member) *conversationv1.Usage {
	var found [1]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, at.Value, withinKeys, found[:]); err != nil || found[0].Kind != jsonscan.Object {
		return nil
	}
	return decodeUsage(body, found[0])
}

// decodeUsage reads a usage object; nil where it has no count. Counts are read
// as they are named by OpenAI, DeepSeek (prompt_cache_hit_tokens), Moonshot
// (cached_tokens), OpenRouter (cache_write_tokens) and LiteLLM
// (cache_creation_input_tokens). xAI leaves reasoning out of
// completion_tokens, which total_tokens gives away.
func decodeUsage(body []byte, at jsonscan.Member) *conversationv1.Usage {
	var room [usageMembers]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, at.Value, usageKeys, room[:]); err != nil {
		return nil
	}
	if room[atPromptTokens].Kind != jsonscan.Number && room[atCompletionTokens].Kind != jsonscan.Number {
		return nil
	}
	u := &conversationv1.Usage{
		InputTokens: count(body, room[atPromptTokens]), OutputTokens: count(body, room[atCompletionTokens]),
		CachedInputTokens: max(count(body, room[atPromptCacheHit]), count(body, room[atCachedTokens])),
		CacheWriteTokens:  count(body, room[atCacheCreation]),
		ReasoningTokens:   count(body, room[atReasoningTokens]),
		Source:            conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
	for _, i := range [...]int{atPromptDetails, atCompletionDetails} {
		if room[i].Kind != jsonscan.Object {
			continue
		}
		var inner [usageMembers]jsonscan.Member
		if _, err := jsonscan.ScanObject(body, room[i].Value, usageKeys, inner[:]); err != nil {
			continue
		}
		u.CachedInputTokens = max(u.CachedInputTokens, count(body, inner[atCachedTokens]))
		u.CacheWriteTokens = max(u.CacheWriteTokens, count(body, inner[atCacheWrite]))
		u.ReasoningTokens = max(u.ReasoningTokens, count(body, inner[atReasoningTokens]))
	}
	total := count(body, room[atTotalTokens])
	if u.ReasoningTokens > 0 && total-u.InputTokens-u.OutputTokens == u.ReasoningTokens {
		u.OutputTokens += u.ReasoningTokens
	}
	return u
}

// count reads a number of tokens; what is none is 0.
func count(body []byte, m jsonscan.Member) int64 {
	if m.Kind != jsonscan.Number {
		return 0 // most counts are absent: an error for each would be made in vain
	}
	n, err := m.Float64(body)
	if err != nil || n < 0 || n > math.MaxInt32*1024 {
		return 0
	}
	return int64(n)
}

// appendUsage appends a usage object. Counts that the provider did not make
// itself are marked with a member of the mesh's own.
func appendUsage(dst []byte, u *conversationv1.Usage) []byte {
	w := writer{jsonbody.Writer{B: dst}}
	w.Open('{')
	w.IntField("prompt_tokens", u.GetInputTokens())
	w.IntField("completion_tokens", u.GetOutputTokens())
	w.IntField("total_tokens", u.GetInputTokens()+u.GetOutputTokens())
	w.Key("prompt_tokens_details")
	w.Open('{')
	w.IntField("cached_tokens", u.GetCachedInputTokens())
	if u.GetCacheWriteTokens() > 0 {
		w.IntField("cache_write_tokens", u.GetCacheWriteTokens())
	}
	w.Close('}')
	w.Key("completion_tokens_details")
	w.Open('{')
	w.IntField("reasoning_tokens", u.GetReasoningTokens())
	w.Close('}')
	switch u.GetSource() {
	case conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED:
		w.RawField("gptmesh", `{"usage_source":"estimated"}`)
	case conversationv1.UsageSource_USAGE_SOURCE_PARTIAL:
		w.RawField("gptmesh", `{"usage_source":"partial"}`)
	}
	w.Close('}')
	return w.B
}

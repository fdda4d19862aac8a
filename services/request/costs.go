package request

import (
	"cmp"
	"errors"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

var errNoCatalogue = errors.New("the gpt room does not tell its models")

// tokenCount is what a request took.
type tokenCount struct{ input, cached, cacheWrite, output int64 }

// tokensOf counts by what was stored; false where only an estimate is known.
func tokensOf(r *requestv1.Request, f route.Features) (tokenCount, bool) {
	u := r.GetUsage()
	if u == nil {
		return tokenCount{input: f.Input, output: f.Output}, false
	}
	return tokenCount{u.GetInputTokens(), u.GetCachedInputTokens(), u.GetCacheWriteTokens(), u.GetOutputTokens()},
		u.GetSource() != conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED
}

// costs are in currency units; priced is false, and both are 0, where one
// cannot be told or the currencies differ. Tokens that the first model found in
// its cache are new to another one.
func (t tokenCount) costs(was, other *route.Target) (cost, otherCost float64, priced bool) {
	if was == nil || other == nil || !was.Priced() || !other.Priced() ||
		was.Prices != nil && other.Prices != nil && was.Prices.GetCurrency() != other.Prices.GetCurrency() {
		return 0, 0, false
	}
	cost = float64(was.CostNanos(t.input, t.cached, t.cacheWrite, t.output)) / 1e9
	if was == other {
		return cost, cost, true
	}
	return cost, float64(other.CostNanos(t.input, 0, 0, t.output)) / 1e9, true
}

// currencyOf is the first currency of the catalogue, or "USD".
func currencyOf(c *route.Catalogue) string {
	for _, t := range c.Targets {
		if t.Prices.GetCurrency() != "" {
			return t.Prices.GetCurrency()
		}
	}
	return "USD"
}

// shifts count pairs of models.
type shifts map[[2]string]*requestv1.ModelShift

func newShifts() shifts { return shifts{} }

func (s shifts) add(from, to string, cost, other float64) {
	pair := s[[2]string{from, to}]
	if pair == nil {
		pair = &requestv1.ModelShift{From: from, To: to}
		s[[2]string{from, to}] = pair
	}
	pair.Requests++
	pair.Cost += cost
	pair.OtherCost += other
}

func (s shifts) sorted() []*requestv1.ModelShift {
	var out []*requestv1.ModelShift
	for _, pair := range s {
		out = append(out, pair)
	}
	slices.SortFunc(out, func(a, b *requestv1.ModelShift) int {
		return cmp.Or(cmp.Compare(b.GetRequests(), a.GetRequests()), cmp.Compare(a.GetFrom(), b.GetFrom()), cmp.Compare(a.GetTo(), b.GetTo()))
	})
	return out
}

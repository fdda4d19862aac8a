package gpt

import (
	"sync/atomic"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/prometheus/client_golang/prometheus"
)

// tokenKinds are the kinds of tokens, as labels.
var tokenKinds = [...]string{"input", "cached", "output", "reasoning"}

// modelMetrics are the metrics of one model, found by their labels once: to look
// for a counter takes longer than to count. Counters of what never happened are
// not listed.
type modelMetrics struct {
	all               *metrics
	provider, model   string
	total, firstToken prometheus.Observer
	attempts          [8]counter                  // by outcome
	tokens            [len(tokenKinds)][8]counter // by kind and source
}

// counter is one that is looked for when it is first used.
type counter struct {
	known atomic.Pointer[prometheus.Counter]
}

func (c *counter) get(find func() prometheus.Counter) prometheus.Counter {
	if known := c.known.Load(); known != nil {
		return *known
	}
	found := find()
	c.known.Store(&found)
	return found
}

// of returns the metrics of a target. What has no list shares those of "other",
// so that there are no more than there are labels.
func (m *metrics) of(target *registry.Target, provider string) *modelMetrics {
	name := modelName{provider, modelLabel(target)}
	m.mu.RLock()
	known := m.models[name]
	m.mu.RUnlock()
	if known != nil {
		return known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known = &modelMetrics{
		all: m, provider: name.provider, model: name.model,
		total: m.total.WithLabelValues(name.provider, name.model), firstToken: m.firstToken.WithLabelValues(name.provider, name.model),
	}
	m.models[name] = known
	return known
}

// modelName is the name of a model in labels.
type modelName struct{ provider, model string }

func (m *modelMetrics) attempt(outcome gptv1.Attempt_Outcome) prometheus.Counter {
	find := func() prometheus.Counter {
		return m.all.attempts.WithLabelValues(m.provider, m.model, outcomeLabel(outcome))
	}
	if outcome < 0 || int(outcome) >= len(m.attempts) {
		return find()
	}
	return m.attempts[outcome].get(find)
}

func (m *modelMetrics) token(kind int, source conversationv1.UsageSource) prometheus.Counter {
	find := func() prometheus.Counter {
		return m.all.tokens.WithLabelValues(m.provider, m.model, tokenKinds[kind], sourceLabel(source))
	}
	if source < 0 || int(source) >= len(m.tokens[kind]) {
		return find()
	}
	return m.tokens[kind][source].get(find)
}

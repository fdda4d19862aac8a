package gpt

import (
	"errors"
	"math"
	"sync"
	"unsafe"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/tokens"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire"
)

// maxMetered is how much text of an answer is kept for counting. What is
// longer is counted in proportion.
const maxMetered = 256 << 10

// maxCounted is the largest raw prompt that is decoded only to be counted.
const maxCounted = 1 << 20

// meter watches an answer go by, for the ledger.
type meter struct {
	usage     *conversationv1.Usage // the provider's last count
	text      *[]byte               // of the typed half, up to maxMetered, lent; nil for none
	bytes     int                   // of the typed half
	rawEvents int                   // of the raw half
	body      []byte                // of an answer that is one body; not copied
	bodyWire  conversationv1.Wire
	refused   bool // the provider never began
}

func (m *meter) add(chunk *conversationv1.Chunk) {
	for _, event := range chunk.GetEvents() {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Usage:
			m.usage = kind.Usage
		case *conversationv1.Event_Text:
			m.note(kind.Text.GetText())
		case *conversationv1.Event_Refusal:
			m.note(kind.Refusal.GetText())
		case *conversationv1.Event_Reasoning:
			m.note(kind.Reasoning.GetText())
		case *conversationv1.Event_ToolCall:
			m.note(kind.ToolCall.GetName())
			m.note(kind.ToolCall.GetArgumentsJson())
		}
	}
	if raw := chunk.GetRaw(); raw != nil {
		if raw.GetForm() == conversationv1.RawForm_RAW_FORM_JSON {
			m.body, m.bodyWire = raw.GetData(), raw.GetWire()
		} else {
			m.rawEvents += int(raw.GetEventCount())
		}
	}
}

func (m *meter) note(text string) {
	m.bytes += len(text)
	if len(text) == 0 {
		return
	}
	if m.text == nil {
		m.text = metered.Get().(*[]byte)
	}
	if room := maxMetered - len(*m.text); room > 0 {
		*m.text = append(*m.text, text[:min(room, len(text))]...)
	}
}

// metered are buffers for texts that are counted.
var metered = sync.Pool{New: func() any { return new([]byte) }}

// release gives the text's memory back.
func (m *meter) release() {
	if m.text != nil {
		*m.text = (*m.text)[:0]
		metered.Put(m.text)
		m.text = nil
	}
}

// failed notes that the provider never began.
func (m *meter) failed(err error) {
	if e := (*provider.Error)(nil); errors.As(err, &e) {
		m.refused = e.NotSent || e.Refused
	}
}

// measure fills the row: usage, cost and time.
func (s *Service) measure(a *attempt) {
	row, m := &a.row, &a.meter
	now := s.deps.Clock()
	row.SettleTime = setTime(&a.settleTime, now)
	row.TotalMicros = now.Sub(a.begun).Microseconds()
	switch {
	case m.usage != nil && m.usage.GetSource() == conversationv1.UsageSource_USAGE_SOURCE_PROVIDER && row.GetOutcome() == gptv1.Attempt_OUTCOME_COMPLETED:
		row.Usage = m.usage // which nobody changes
	case m.usage != nil:
		row.Usage = wire.CopyUsage(m.usage)
		if row.GetUsage().GetSource() == conversationv1.UsageSource_USAGE_SOURCE_UNSPECIFIED {
			row.Usage.Source = conversationv1.UsageSource_USAGE_SOURCE_PROVIDER
		}
		if row.GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED {
			// What a provider counted on the way is not its last word.
			row.Usage.Source = conversationv1.UsageSource_USAGE_SOURCE_PARTIAL
			row.Usage.OutputTokens = max(row.Usage.OutputTokens, s.outputTokens(a, false))
		}
	case m.refused && !a.sent:
		row.Usage = &conversationv1.Usage{Source: conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED}
	case row.GetOutcome() == gptv1.Attempt_OUTCOME_COMPLETED:
		row.Usage = &conversationv1.Usage{
			InputTokens: s.inputTokens(a), OutputTokens: s.outputTokens(a, true),
			Source: conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED,
		}
	default:
		row.Usage = &conversationv1.Usage{
			InputTokens: row.GetUsage().GetInputTokens(), OutputTokens: s.outputTokens(a, false),
			Source: conversationv1.UsageSource_USAGE_SOURCE_PARTIAL,
		}
	}
	m.release() // this is the last count
	price(row, a.way.option.Target.Model)
	s.metrics.settled(a.way.option.Target, row)
}

// inputTokens counts the prompt with a vocabulary, or guesses where it is too
// long for that.
func (s *Service) inputTokens(a *attempt) int64 {
	estimate := a.row.GetUsage().GetInputTokens()
	if estimate*4 > maxCounted || a.call.turn == nil {
		return estimate // too long, or no turn: an embedding
	}
	turn, err := typed(a.call.turn)
	if err != nil {
		return estimate
	}
	count, err := s.tokens.Turn(a.row.GetModel(), turn)
	if err != nil {
		return estimate
	}
	return count.Tokens
}

// outputTokens counts the answer: text with a vocabulary where exactly is set,
// by its length otherwise; a raw stream by its events, since providers send
// about one token in each.
func (s *Service) outputTokens(a *attempt, exactly bool) int64 {
	m := &a.meter
	if m.rawEvents > 0 {
		return int64(m.rawEvents)
	}
	if len(m.body) > 0 && len(m.body) <= maxCounted {
		if codec := codecOf(m.bodyWire); codec != nil {
			events, err := codec.DecodeAnswer(m.body)
			if err == nil {
				m.body = nil
				m.add(&conversationv1.Chunk{Events: events})
			}
		}
	}
	if m.bytes == 0 {
		return 0
	}
	if exactly && m.text != nil {
		if count, err := s.tokens.Text(a.row.GetModel(), unsafe.String(unsafe.SliceData(*m.text), len(*m.text))); err == nil {
			return int64(math.Ceil(float64(count.Tokens) * float64(m.bytes) / float64(len(*m.text))))
		}
	}
	return tokens.Estimate(m.bytes)
}

// price sets what a row's usage costs.
func price(row *gptv1.Attempt, model *gptv1.Model) {
	p := model.GetPrices()
	if p == nil {
		return
	}
	row.Currency, row.PriceVersion, row.CostNanos = p.GetCurrency(), p.GetVersion(), Cost(p, row.GetUsage())
}

// Cost is what tokens cost, in billionths of the currency. Tokens read from or
// written to a cache cost the price of the prompt where they have none.
func Cost(p *gptv1.Prices, u *conversationv1.Usage) int64 {
	cached, written := p.GetCachedInputPerMillion(), p.GetCacheWritePerMillion()
	if cached == 0 {
		cached = p.GetInputPerMillion()
	}
	if written == 0 {
		written = p.GetInputPerMillion()
	}
	plain := max(u.GetInputTokens()-u.GetCachedInputTokens()-u.GetCacheWriteTokens(), 0)
	// A price per million is a thousand billionths per token.
	return int64(math.Round(1000 * (float64(plain)*p.GetInputPerMillion() + float64(u.GetCachedInputTokens())*cached +
		float64(u.GetCacheWriteTokens())*written + float64(u.GetOutputTokens())*p.GetOutputPerMillion())))
}

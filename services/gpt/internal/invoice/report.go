package invoice

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

const (
	// maxDifferences bounds what a report lists; all are counted.
	maxDifferences = 1000
	// defaultTolerance is how far costs may lie apart: half a hundredth.
	defaultTolerance = 0.005
	// leastNanos is below what no invoice tells: a hundred-thousandth of a unit.
	leastNanos = 10_000
)

// pair is the two sides of one call or group.
type pair struct {
	invoice, ledger     amount
	onInvoice, inLedger bool
	line                int
	attempt             *gptv1.Attempt
}

// Report compares as rows come. It is not safe for concurrent use.
type Report struct {
	invoice   *Invoice
	tolerance float64
	pairs     map[string]*pair
	resp      *gptv1.ReconcileResponse
}

// NewReport begins with the invoice's side. A tolerance of 0 takes the default.
func NewReport(invoice *Invoice, tolerance float64) *Report {
	if tolerance == 0 {
		tolerance = defaultTolerance
	}
	r := &Report{
		invoice: invoice, tolerance: tolerance, pairs: map[string]*pair{},
		resp: &gptv1.ReconcileResponse{Lines: int64(len(invoice.lines))},
	}
	for i := range invoice.lines {
		l := &invoice.lines[i]
		p := r.at(r.invoiceKey(l))
		if p.onInvoice = true; p.line == 0 {
			p.line = l.number
		} else {
			p.line = -1 // several
		}
		p.invoice.add(l.amount)
		if invoice.byCall {
			// The id says that it is one call, however many lines it is split into.
			p.invoice.calls, p.invoice.has.calls = 1, true
		}
	}
	return r
}

func (r *Report) at(key string) *pair {
	p := r.pairs[key]
	if p == nil {
		p = &pair{}
		r.pairs[key] = p
	}
	return p
}

func (r *Report) invoiceKey(l *line) string {
	if r.invoice.byCall {
		return l.id
	}
	return strings.Join([]string{l.day, l.provider, l.model}, " ")
}

// Add takes in a settled row. Calls that a provider cannot have served are no
// matter of an invoice: they used nothing.
func (r *Report) Add(a *gptv1.Attempt) {
	u := a.GetUsage()
	if u.GetInputTokens()+u.GetOutputTokens() == 0 && a.GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED {
		return
	}
	r.resp.Rows++
	key := a.GetId()
	switch {
	case r.invoice.byAttempt:
	case r.invoice.byCall:
		if a.GetProviderResponseId() != "" {
			key = a.GetProviderResponseId()
		}
	default:
		provider := a.GetProvider()
		if r.invoice.provider == "" && !r.namesProvider() {
			provider = ""
		}
		key = strings.Join([]string{a.GetReserveTime().AsTime().Format(time.DateOnly), provider, a.GetModel()}, " ")
	}
	p := r.at(key)
	p.inLedger = true
	if p.attempt == nil {
		p.attempt = a
	}
	said := amount{
		calls: 1, input: u.GetInputTokens(), output: u.GetOutputTokens(), cached: u.GetCachedInputTokens(), cost: a.GetCostNanos(),
		currency: a.GetCurrency(),
	}
	said.has.calls, said.has.tokens, said.has.cached, said.has.cost = true, true, true, a.GetCurrency() != ""
	p.ledger.add(said)
}

// namesProvider says that the invoice's lines name their provider.
func (r *Report) namesProvider() bool {
	return len(r.invoice.lines) > 0 && r.invoice.lines[0].provider != ""
}

func (a *amount) add(b amount) {
	a.calls, a.input, a.output, a.cached, a.cost = a.calls+b.calls, a.input+b.input, a.output+b.output, a.cached+b.cached, a.cost+b.cost
	a.has.calls, a.has.tokens = a.has.calls || b.has.calls, a.has.tokens || b.has.tokens
	a.has.cached, a.has.cost = a.has.cached || b.has.cached, a.has.cost || b.has.cost
	if a.currency == "" {
		a.currency = b.currency
	}
}

func (a *amount) message() *gptv1.UsageAmount {
	return &gptv1.UsageAmount{
		Calls: a.calls, InputTokens: a.input, OutputTokens: a.output, CachedInputTokens: a.cached, CostNanos: a.cost, Currency: a.currency,
	}
}

// Close compares the two sides.
func (r *Report) Close() *gptv1.ReconcileResponse {
	for _, key := range slices.SortedFunc(maps.Keys(r.pairs), cmp.Compare) {
		p := r.pairs[key]
		kind := r.compare(p)
		switch kind {
		case gptv1.UsageDifference_KIND_UNSPECIFIED:
			r.resp.Matched++
			continue
		case gptv1.UsageDifference_KIND_MISSING_HERE:
			r.resp.MissingHere++
		case gptv1.UsageDifference_KIND_MISSING_THERE:
			r.resp.MissingThere++
		case gptv1.UsageDifference_KIND_TOKENS:
			r.resp.DifferentTokens++
		case gptv1.UsageDifference_KIND_COST:
			r.resp.DifferentCost++
		}
		if len(r.resp.Differences) == maxDifferences {
			continue
		}
		d := &gptv1.UsageDifference{Kind: kind, Key: key, Line: int32(max(p.line, 0))}
		if p.onInvoice {
			d.Invoice = p.invoice.message()
		}
		if p.inLedger {
			d.Ledger = p.ledger.message()
			if p.ledger.calls == 1 {
				d.Attempt = p.attempt
			}
		}
		r.resp.Differences = append(r.resp.Differences, d)
	}
	return r.resp
}

func (r *Report) compare(p *pair) gptv1.UsageDifference_Kind {
	i, l := &p.invoice, &p.ledger
	switch {
	case !p.inLedger:
		return gptv1.UsageDifference_KIND_MISSING_HERE
	case !p.onInvoice:
		return gptv1.UsageDifference_KIND_MISSING_THERE
	case i.has.tokens && (i.input != l.input || i.output != l.output), i.has.cached && i.cached != l.cached,
		i.has.calls && i.calls != l.calls:
		return gptv1.UsageDifference_KIND_TOKENS
	case i.has.cost && (!l.has.cost || i.currency != "" && i.currency != l.currency || !r.near(i.cost, l.cost)):
		return gptv1.UsageDifference_KIND_COST
	}
	return gptv1.UsageDifference_KIND_UNSPECIFIED
}

func (r *Report) near(a, b int64) bool {
	apart := max(a-b, b-a)
	return apart <= leastNanos || float64(apart) <= r.tolerance*float64(max(a, b))
}

// Package invoice reads a provider's invoice and compares it with the ledger.
package invoice

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/fault"
)

// MaxLines bounds an invoice.
const MaxLines = 100_000

// columns are the names that are known, with what providers call them too.
var columns = map[string]string{
	"id": "id", "request_id": "id", "response_id": "id", "generation_id": "id", "attempt_id": "attempt_id",
	"day": "day", "date": "day", "time": "day", "timestamp": "day", "start_time": "day", "created_at": "day",
	"provider": "provider", "model": "model", "model_name": "model",
	"input_tokens": "input", "prompt_tokens": "input", "n_context_tokens_total": "input",
	"output_tokens": "output", "completion_tokens": "output", "n_generated_tokens_total": "output",
	"cached_input_tokens": "cached", "input_cached_tokens": "cached", "cached_tokens": "cached",
	"cost": "cost", "amount": "cost", "amount_value": "cost", "currency": "currency", "amount_currency": "currency",
	"calls": "calls", "requests": "calls", "num_model_requests": "calls", "n_requests": "calls",
}

// amount is what one side says; what an invoice leaves empty is not known.
type amount struct {
	calls, input, output, cached, cost int64
	has                                struct{ calls, tokens, cached, cost bool }
	currency                           string
}

// line is one line of an invoice.
type line struct {
	number                   int
	id, day, provider, model string
	amount                   amount
}

// Invoice is a parsed invoice.
type Invoice struct {
	lines []line
	// byCall says that lines name calls; byAttempt that they do so by the
	// ledger's own ids.
	byCall, byAttempt bool
	provider          string
	first, last       time.Time
}

// Days are the first and the last day of the invoice, where it has days.
func (i *Invoice) Days() (first, last time.Time, ok bool) {
	return i.first, i.last, !i.first.IsZero()
}

// Parse reads a CSV with a first line of names. provider is the one of lines that
// name none. Errors name the line and the column.
func Parse(text, provider string) (*Invoice, error) {
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	reader.FieldsPerRecord, reader.TrimLeadingSpace, reader.ReuseRecord = -1, true, true
	head, err := reader.Read()
	if err != nil {
		return nil, fault.InvalidField("csv", "has no first line with the columns' names")
	}
	at := map[string]int{}
	for i, name := range head {
		known := columns[strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), " ", "_"))]
		if known == "" {
			continue
		}
		if _, twice := at[known]; twice {
			return nil, fault.InvalidField("csv", fmt.Sprintf("the first line has two columns for %s", known))
		}
		at[known] = i
	}
	out := &Invoice{provider: provider}
	_, out.byAttempt = at["attempt_id"]
	_, byID := at["id"]
	out.byCall = byID || out.byAttempt
	_, hasModel := at["model"]
	_, hasDay := at["day"]
	if !out.byCall && !(hasModel && hasDay) {
		return nil, fault.InvalidField("csv", "needs a column id or attempt_id, or the columns day and model; its first line has "+
			bounded(strings.Join(head, ", "), 200))
	}
	if !slices.ContainsFunc([]string{"input", "output", "cost", "calls"}, func(c string) bool { _, ok := at[c]; return ok }) {
		return nil, fault.InvalidField("csv", "needs a column to compare: input_tokens, output_tokens, cost or calls")
	}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			return nil, fault.InvalidField("csv", fmt.Sprintf("line %d is no line of a CSV", bad.StartLine))
		} else if err != nil {
			return nil, fault.InvalidField("csv", "is no CSV")
		}
		number, _ := reader.FieldPos(0)
		if len(out.lines) == MaxLines {
			return nil, fault.InvalidField("csv", fmt.Sprintf("has more than %d lines", MaxLines))
		}
		l, err := out.line(record, at, number)
		if err != nil {
			return nil, fault.InvalidField("csv", fmt.Sprintf("line %d: %s", number, err))
		}
		out.lines = append(out.lines, l)
	}
}

func bounded(text string, limit int) string {
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

func (i *Invoice) line(record []string, at map[string]int, number int) (l line, err error) {
	get := func(column string) string {
		if n, ok := at[column]; ok && n < len(record) {
			return strings.Clone(strings.TrimSpace(record[n]))
		}
		return ""
	}
	count := func(column string, to *int64, has *bool) {
		text := get(column)
		if text == "" || err != nil {
			return
		}
		n, bad := strconv.ParseFloat(text, 64)
		if bad != nil || !(n >= 0 && n <= 1e15) || n != math.Trunc(n) {
			err = fmt.Errorf("%s: want a whole number", column)
			return
		}
		*to += int64(n)
		*has = true
	}
	l = line{number: number, provider: get("provider"), model: get("model")}
	if l.provider == "" {
		l.provider = i.provider
	}
	if l.id = get("id"); i.byAttempt {
		l.id = get("attempt_id")
	}
	if i.byCall && l.id == "" {
		return l, errors.New("the id is empty")
	}
	a := &l.amount
	count("input", &a.input, &a.has.tokens)
	count("output", &a.output, &a.has.tokens)
	count("cached", &a.cached, &a.has.cached)
	count("calls", &a.calls, &a.has.calls)
	if err != nil {
		return l, err
	}
	if text := strings.TrimLeft(get("cost"), "$€"); text != "" {
		cost, bad := strconv.ParseFloat(text, 64)
		if bad != nil || !(cost >= 0 && cost <= 9e6) {
			return l, errors.New("cost: want a number")
		}
		a.cost, a.has.cost = int64(math.Round(cost*1e9)), true
	}
	a.currency = strings.ToUpper(get("currency"))
	if text := get("day"); text != "" {
		day, err := parseDay(text)
		if err != nil {
			return l, err
		}
		l.day = day.Format(time.DateOnly)
		if i.first.IsZero() || day.Before(i.first) {
			i.first = day
		}
		if day.After(i.last) {
			i.last = day
		}
	} else if !i.byCall {
		return l, errors.New("day: is empty")
	}
	return l, nil
}

// parseDay reads a day, a moment, or seconds since 1970, as its day in UTC.
func parseDay(text string) (time.Time, error) {
	for _, form := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04:05", "2006/01/02"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC().Truncate(24 * time.Hour), nil
		}
	}
	if s, err := strconv.ParseInt(text, 10, 64); err == nil && s > 0 && s < 1<<33 {
		return time.Unix(s, 0).UTC().Truncate(24 * time.Hour), nil
	}
	return time.Time{}, errors.New("day: want 2026-11-28, a time as in RFC 3339, or seconds since 1970")
}
